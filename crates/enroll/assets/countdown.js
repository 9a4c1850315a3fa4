// How long the operating system keeps a downloaded profile before it drops it.
import { fill } from './view.js';

/** iOS and iPadOS forget a profile that was not installed within eight minutes. */
const LIFE_MS = 8 * 60_000;

/** Counts down from now wherever the document shows it; a second call begins anew. At the end `.countdown-over` says what to do. */
export function countDown({ now = Date.now, every = setInterval, stop = clearInterval } = {}) {
  stop(countDown.timer);
  const end = now() + LIFE_MS;
  const tick = () => {
    const left = Math.max(0, end - now());
    fill({ countdown: clockFace(left) });
    for (const advice of document.querySelectorAll('.countdown-over')) advice.hidden = left > 0;
    if (left === 0) stop(countDown.timer);
  };
  countDown.timer = every(tick, 1000);
  tick();
}

/** `7:05` from milliseconds. */
export function clockFace(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
