// What several page tests share: a throw-away CA made by openssl, and ways to run the tools that must agree.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const random = (size) => crypto.getRandomValues(new Uint8Array(size));

export const hex = (bytes) => Buffer.from(bytes).toString('hex');

export const unhex = (text) => new Uint8Array(Buffer.from(text, 'hex'));

/** Output of a command; throws with its standard error when it fails. */
export function run(command, args, options = {}) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...options });
}

/** A folder that is gone when the test is over. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'tegata-page-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}


/** Signs CSRs as the server would: a root, an issuing CA below it, leaves of one day. */
export function testAuthority(folder) {
  const at = (name) => join(folder, name);
  const newKey = (name) => run('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', at(name)]);
  newKey('root.key');
  run('openssl', ['req', '-x509', '-new', '-key', at('root.key'), '-subj', '/CN=Test root', '-days', '2', '-out', at('root.pem')]);
  newKey('issuing.key');
  run('openssl', ['req', '-new', '-key', at('issuing.key'), '-subj', '/CN=Test issuing', '-out', at('issuing.csr')]);
  writeFileSync(at('ca.ext'), 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n');
  sign('issuing.csr', 'root', 'ca.ext', 'issuing.pem');
  writeFileSync(at('leaf.ext'), 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n');

  return { root: at('root.pem'), issuing: at('issuing.pem'), issue };

  function sign(csr, issuer, extensions, out, form = 'PEM') {
    run('openssl', ['x509', '-req', '-inform', form, '-in', at(csr), '-CA', at(`${issuer}.pem`), '-CAkey', at(`${issuer}.key`),
      '-set_serial', String(Date.now()), '-days', '1', '-extfile', at(extensions), '-out', at(out)]);
  }

  /** DER of the CSR in, DER of the leaf and of its chain out. */
  function issue(csr) {
    writeFileSync(at('leaf.csr'), csr);
    sign('leaf.csr', 'issuing', 'leaf.ext', 'leaf.pem', 'DER');
    return { certificate: derOf('leaf.pem'), chain: [derOf('issuing.pem')] };
  }

  function derOf(pem) {
    run('openssl', ['x509', '-in', at(pem), '-outform', 'DER', '-out', at(`${pem}.der`)]);
    return new Uint8Array(readFileSync(at(`${pem}.der`)));
  }
}

/** As much of IndexedDB as the pages use, in memory: `records` shows what lies in it. `failing` is one that opens never. */
export function memoryDatabase() {
  const records = new Map();
  const later = (request, result) => queueMicrotask(() => {
    request.result = result;
    request.onsuccess?.();
  });
  const asked = (result) => {
    const request = {};
    later(request, result);
    return request;
  };
  const store = {
    put: (value, key) => asked(void records.set(key, structuredClone(value))),
    get: (key) => asked(records.get(key)),
    getAll: () => asked([...records.values()]),
    delete: (key) => asked(void records.delete(key)),
    openCursor() {
      const request = {};
      const left = [...records];
      const next = () => {
        const [key, value] = left.shift() ?? [];
        later(request, key && { value, delete: () => records.delete(key), continue: next });
      };
      next();
      return request;
    },
  };
  const transaction = () => {
    const opened = { objectStore: () => store };
    setImmediate(() => opened.oncomplete?.());
    return opened;
  };
  const open = () => asked({ transaction, close() {}, objectStoreNames: [] });
  const failing = { open: () => {
    const request = { error: new Error('no') };
    queueMicrotask(() => request.onerror());
    return request;
  } };
  return { records, indexedDB: { open }, failing };
}
