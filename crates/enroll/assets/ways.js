// The way in that fits the device: a profile that the system takes, or a file with a password. The reader may know better
// than the page what this device is.
import { isGuestOnMac, profileFor, storeOf } from './platform.js';
import { byId, now, show } from './view.js';

/** Shows the steps of this kind of device, and lets the reader correct it. `chosen(platform)`: what else follows from it. */
export function offerSteps(chosen = () => {}) {
  const choice = byId('platform');
  choice.value = storeOf(navigator);
  const choose = () => {
    for (const part of document.querySelectorAll('[data-platform]')) part.hidden = part.dataset.platform !== choice.value;
    chosen(choice.value);
  };
  choice.addEventListener('change', choose);
  choose();
}

/** The same with the way in. `profiles`: whether the server has profiles for whoever reads this page; `scep`: also such as lead to SCEP. */
export function offerWays({ profiles, scep = false }) {
  offerSteps((platform) => {
    const profile = profiles ? profileFor(platform, navigator, { scep }) : undefined;
    showWay(profile ? 'profile' : 'file');
    const told = byId('profile-platform');
    if (told) told.value = platform;
    const door = byId('profile-by');
    if (door) door.value = profile?.by ?? 'acme';
    byId('profile-start').value = byId('profile-again').value = String(profile?.hardwareBound);
    byId('profile-soft').hidden = !(profile?.hardwareBound && platform === 'macos');
    byId('use-safari').hidden = !(profiles && !profile && isGuestOnMac(platform, navigator));
    if (!profile && now() === 'profile') show('ready');
  });
}

function showWay(way) {
  for (const part of document.querySelectorAll('[data-way]')) part.hidden = part.dataset.way !== way;
  byId('other-way').open = way === 'file';
  byId('start').classList.toggle('second', way === 'profile');
}
