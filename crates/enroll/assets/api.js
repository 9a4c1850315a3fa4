// How the page speaks with the server: JSON out, JSON or a problem back.

const PATIENCE_MS = 30_000;

// Another network, another hour, a place that somebody gives up: then the same attempt succeeds.
const MENDED_ELSEWHERE = ['E-01', 'E-03', 'E-04'];

/**
 * Why something could not be done. From the server: `title`, `detail` and `code` in the reader's language.
 * Found by the page itself: `local` names a text of the page. `retry`: the same attempt may yet succeed. `contact`: whom to call.
 */
export class Refusal extends Error {
  constructor({ title, detail, code, local, retry, contact }) {
    super(code ?? local);
    Object.assign(this, { title, detail, code, local, retry, contact });
  }

  static local(name, retry) {
    return new Refusal({ local: name, retry });
  }
}

/** The parsed answer (null when there is none), or a thrown Refusal. */
export async function post(path, body, { language, fetch = globalThis.fetch }) {
  const response = await send(`${path}?lang=${language}`, body, fetch);
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw refusalOf(response, answer);
}

/** The refusal that a response carries; without a readable problem, a text of the page's own. */
export function refusalOf(response, answer) {
  // A proxy's error page is not the server's word: trying again can help.
  if (!isProblem(response, answer)) return Refusal.local('unreadable', true);
  const { title, detail, code, contact } = answer;
  const passing = response.status >= 500 || response.status === 429;
  return new Refusal({ title, detail, code, contact, retry: passing || MENDED_ELSEWHERE.includes(code) });
}

function isProblem(response, answer) {
  const type = response.headers.get('content-type') ?? '';
  return type.startsWith('application/problem+json') && typeof answer?.title === 'string';
}

async function send(url, body, fetch) {
  try {
    return await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, application/problem+json' },
      body: JSON.stringify(body),
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw Refusal.local('offline', true);
  }
}
