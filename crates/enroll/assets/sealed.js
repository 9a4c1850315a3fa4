// What a browser keeps of an enrollment, so that a reload or a closed tab loses nothing. Everything secret in it is encrypted with
// AES-GCM under a key of its own, which WebCrypto gives to nobody: it lies beside what it encrypts, and both go together. So no
// copy of the one without the other is worth anything, and a copy of both is worth it only within this browser and its time.

const DATABASE = 'tegata';
const VERSION = 2;
const STORE = 'kept';

/** Keeps `secret` (what JSON has, with `Uint8Array`s) under a name until `until`, in milliseconds. False where the browser does not. */
export async function keep(name, secret, until) {
  try {
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, toBytes(secret));
    const at = await nameOf(name);
    await inStore('readwrite', (store) => store.put({ key, iv, sealed, until }, at));
    return true;
  } catch {
    return false;
  }
}

/** What was kept under a name, unless its time is over. */
export async function recall(name) {
  try {
    const at = await nameOf(name);
    return await opened(await inStore('readonly', (store) => store.get(at)));
  } catch {
    // A browser that keeps nothing has nothing to tell.
    return undefined;
  }
}

/** All that is kept and not over yet. */
export async function recallAll() {
  try {
    const records = await inStore('readonly', (store) => store.getAll());
    const all = await Promise.all(records.map((record) => opened(record).catch(() => undefined)));
    return all.filter(Boolean);
  } catch {
    return [];
  }
}

export async function forget(name) {
  try {
    const at = await nameOf(name);
    await inStore('readwrite', (store) => store.delete(at));
  } catch {
    // Nothing was kept.
  }
}

/** Wipes whatever is over: every page does so when it is opened. */
export async function sweep(now = Date.now()) {
  try {
    await inStore('readwrite', (store) => {
      const request = store.openCursor();
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return;
        if (!(cursor.value.until > now)) cursor.delete();
        cursor.continue();
      };
      return request;
    });
  } catch {
    // Nothing was kept.
  }
}

async function opened(record) {
  if (!record || !(record.until > Date.now())) return undefined;
  const { key, iv, sealed } = record;
  return fromBytes(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed));
}

/** Not the name itself, which may be an invitation's code: whoever looks into the browser later learns none. */
async function nameOf(name) {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(name));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function toBytes(secret) {
  const text = JSON.stringify(secret, (_, value) => (value instanceof Uint8Array ? { bytes: Array.from(value) } : value));
  return new TextEncoder().encode(text);
}

function fromBytes(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes), (_, value) => (Array.isArray(value?.bytes) ? Uint8Array.from(value.bytes) : value));
}

async function inStore(mode, act) {
  const database = await open();
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

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => {
      const database = request.result;
      // Earlier versions kept keys as they were.
      for (const name of database.objectStoreNames) database.deleteObjectStore(name);
      database.createObjectStore(STORE);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('another page has it open'));
  });
}
