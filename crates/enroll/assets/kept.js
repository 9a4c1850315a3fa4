// What a page that waits for approval must not lose when its tab is closed: the key that is waited for. It stays in this
// browser until the answer is there, or for as long as anybody waits at most; where the browser keeps nothing, the tab
// must stay open.

const NAME = 'tegata';
const STORE = 'waiting';

/** Keeps `waited` (`request` or `claim`, `approval`, `expires`) for an invitation. False where the browser does not. */
export async function keep(code, waited) {
  try {
    const name = await nameOf(code);
    await inStore('readwrite', (store) => store.put(waited, name));
    return true;
  } catch {
    return false;
  }
}

/** What was kept for this invitation and is still waited for. */
export async function recall(code) {
  try {
    const name = await nameOf(code);
    const waited = await inStore('readonly', (store) => store.get(name));
    if (waited && new Date(waited.expires) > new Date()) return waited;
    if (waited) await forget(code);
  } catch {
    // A browser that keeps nothing has nothing to tell.
  }
  return undefined;
}

export async function forget(code) {
  try {
    const name = await nameOf(code);
    await inStore('readwrite', (store) => store.delete(name));
  } catch {
    // Nothing was kept.
  }
}

/** Not the code itself: whoever looks into the browser later learns no invitation. */
async function nameOf(code) {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(code));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function inStore(mode, act) {
  const database = await opened();
  try {
    const transaction = database.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return request.result;
  } finally {
    database.close();
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
