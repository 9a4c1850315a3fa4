// The code of a setup link is in the fragment, which no server and no log ever sees. It goes on in the body of a form.

const form = document.querySelector("#setup-code");
const code = location.hash.slice(1);

if (form && code) {
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.code.value = code;
  form.submit();
}

// The other language is another page: the code goes along. Recovery codes are shown once, so that nothing leads away.
const kept = document.querySelector("#setup input[name=code]");
const other = document.querySelector("#language");
if (kept && other) other.href = `/setup${other.search}#${kept.value}`;
if (document.querySelector("#recovery")) other?.remove();

document.querySelector("#print")?.addEventListener("click", () => print());
