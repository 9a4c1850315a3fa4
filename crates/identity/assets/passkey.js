// Passkeys: asks the browser's authenticator, and sends its answer as a form. What the answer is worth, the server judges.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (sign) => sign.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

const problem = document.querySelector('#passkey-problem');

if (window.PublicKeyCredential) {
  for (const element of document.querySelectorAll('.needs-passkeys')) element.hidden = false;
} else {
  const hint = document.querySelector('#no-passkeys');
  if (hint) hint.hidden = false;
}

onClick('#passkey-alone', async () => {
  send(document.querySelector('#passkey-form'), await signed('required'));
});

onClick('#passkey-for-code', async () => {
  const form = document.querySelector('#by-password');
  // The code is what the passkey stands for.
  form.elements.code.required = false;
  if (!form.reportValidity()) {
    form.elements.code.required = true;
    return;
  }
  form.elements.code.value = '';
  send(form, await signed('preferred'));
});

onClick('#make-passkey', async () => {
  const form = document.querySelector('#passkey-form');
  send(form, await made(JSON.parse(form.dataset.options)));
});

/** One at a time; what the browser or its user refuses is said on the page. */
function onClick(selector, act) {
  const button = document.querySelector(selector);
  button?.addEventListener('click', async () => {
    button.disabled = true;
    if (problem) problem.hidden = true;
    try {
      await act();
    } catch {
      if (problem) problem.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}

async function signed(userVerification) {
  const answer = await fetch('/sign-in/passkey', { headers: { accept: 'application/json' } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  const { challenge, rpId, timeout } = await answer.json();
  const credential = await navigator.credentials.get({
    publicKey: { challenge: bytes(challenge), rpId, timeout, userVerification, allowCredentials: [] },
  });
  const { clientDataJSON, authenticatorData, signature, userHandle } = credential.response;
  return {
    id: text(credential.rawId),
    clientDataJSON: text(clientDataJSON),
    authenticatorData: text(authenticatorData),
    signature: text(signature),
    userHandle: text(userHandle ?? new ArrayBuffer(0)),
  };
}

async function made({ rp, user, challenge, pubKeyCredParams, excludeCredentials, timeout }) {
  const credential = await navigator.credentials.create({
    publicKey: {
      rp,
      user: { ...user, id: bytes(user.id) },
      challenge: bytes(challenge),
      pubKeyCredParams,
      excludeCredentials: excludeCredentials.map((id) => ({ type: 'public-key', id: bytes(id) })),
      timeout,
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
    },
  });
  const { clientDataJSON, attestationObject } = credential.response;
  return { clientDataJSON: text(clientDataJSON), attestationObject: text(attestationObject) };
}

function send(form, answer) {
  form.elements.passkey.value = JSON.stringify(answer);
  form.submit();
}
