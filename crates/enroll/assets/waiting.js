// Where somebody has to approve: the page waits, and goes on by itself.
import { Refusal } from './api.js';

const SECOND_MS = 1_000;

/**
 * Hands a request in and resolves to the certificate, however long that takes. `hand()` sends the request, `ask(approval)` asks how it
 * stands; `waits(answer)` is told once that somebody has to approve. What ends the wait without a certificate is thrown.
 */
export async function patiently({ hand, ask, waits, pause = sleep }) {
  let answer = await hand();
  if (!answer.approval) return answer;
  const { approval } = answer;
  await waits(answer);
  let seconds = answer.retry_after;
  for (;;) {
    await pause(seconds * SECOND_MS);
    try {
      answer = await ask(approval);
      if (!answer.approval) return answer;
      seconds = answer.retry_after;
    } catch (failure) {
      // A connection that comes and goes is no decision.
      if (!(failure instanceof Refusal && failure.retry)) throw failure;
    }
  }
}

function sleep(milliseconds) {
  return new Promise((resolve) => { setTimeout(resolve, milliseconds); });
}
