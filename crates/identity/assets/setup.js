// The code of a setup link is in the fragment, which no server and no log ever sees. It goes on in the body of a form.

const form = document.querySelector("#setup-code");
const code = location.hash.slice(1);

if (form && code) {
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.code.value = code;
  form.submit();
}

document.querySelector("#print")?.addEventListener("click", () => print());
