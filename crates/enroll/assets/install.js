// What follows once the parcel exists, the same for a first certificate and for a renewal: save the file, copy
// the password, follow the steps, and see that the certificate works.
import { fileName } from './ceremony.js';
import { Refusal } from './api.js';
import { countDown } from './countdown.js';
import { offerProof } from './proof.js';
import { keepParcel } from './parcel.js';
import { byId, date, fill, month, now, say, show, tell } from './view.js';

const P12 = 'application/x-pkcs12';
const DELIVERY_PAUSE_MS = 5_000;
const DELIVERY_ATTEMPTS = 24;

/**
 * `parcel`: of a ceremony. `names`: for the file name. `probePattern`: where to ask. `deliver()`: tells the server
 * that the certificate arrived. `probeAtOnce`: false where an older certificate is present, because then every
 * question opens the browser's chooser over the steps that the reader is following. `proved(thumbprint)`: what else has
 * to happen once the certificate was seen at work. `keepAs`, `more`, `until`: the name under which the browser keeps the parcel, what it
 * keeps with it, and how long; `startOver()`: what follows when the reader gives it up. Gives a function that wipes it.
 */
export function startInstallation({
  parcel, names, probePattern, deliver, probeAtOnce, proved, keepAs, more, until, isResumed = false, startOver = () => location.reload(),
}) {
  const name = fileName(names, parcel.serial);
  const url = URL.createObjectURL(new Blob([parcel.file], { type: P12 }));
  fill({
    'file-name': name,
    'certificate-name': parcel.name,
    'certificate-number': beginningOf(parcel.serial),
    'not-after': date(parcel.notAfter),
    until: month(parcel.notAfter),
  });
  offerFile(url, name);
  offerPassword(parcel.password);
  show('install');
  byId('download').addEventListener('click', () => countDown());
  if (!isResumed) byId('download').click();
  deliverPatiently(deliver);
  const over = () => {
    forget(url);
    if (now() === 'install') show('over');
  };
  const keeping = keepParcel(keepAs, parcel, more, { until, over });
  keeping.then(({ isKept }) => {
    byId('parcel-kept').hidden = !isKept;
    byId('parcel-not-kept').hidden = isKept;
  });
  const wipe = async () => {
    forget(url);
    await (await keeping).wipe();
  };
  const again = async () => {
    await wipe();
    startOver();
  };
  byId('start-over').addEventListener('click', again);
  byId('begin-again').addEventListener('click', again);

  offerProof({
    probePattern,
    thumbprint: parcel.thumbprint,
    atOnce: probeAtOnce,
    waiting: 'proof-waiting',
    proved: async (thumbprint) => {
      await wipe();
      await proved?.(thumbprint);
    },
  });
  return wipe;
}

/** Of a serial number, as browsers write it beside the name: where old and new have one name, only this tells them apart. */
function beginningOf(serial) {
  return `${serial.toUpperCase().match(/../g).slice(0, 4).join(':')}:…`;
}

function offerFile(url, name) {
  const link = byId('download');
  link.href = url;
  link.download = name;
}

function offerPassword(password) {
  byId('password').textContent = password;
  byId('copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(password);
      say('copied', 'copy-done');
    } catch {
      getSelection().selectAllChildren(byId('password'));
      say('copied', 'copy-by-hand');
    }
  });
}

/** A lost notice must not disturb the reader: it is repeated quietly, and only a real refusal is shown. */
async function deliverPatiently(deliver) {
  for (let attempt = 0; attempt < DELIVERY_ATTEMPTS; attempt++) {
    try {
      return await deliver();
    } catch (problem) {
      if (!(problem instanceof Refusal && problem.retry)) return tell(byId('delivery-problem'), problem);
    }
    await new Promise((resolve) => { setTimeout(resolve, DELIVERY_PAUSE_MS); });
  }
  return tell(byId('delivery-problem'), Refusal.local('offline', true));
}

/** Takes the file and its password off the page once they have done their work. */
function forget(url) {
  URL.revokeObjectURL(url);
  byId('download').removeAttribute('href');
  byId('password').textContent = '';
}
