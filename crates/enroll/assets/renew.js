// The device's own page: its certificate, shown by the server, brings forth the next one.
import { post } from './api.js';
import { letGo } from './handover.js';
import { offerCeremony } from './begin.js';
import { startInstallation } from './install.js';
import { recallParcel } from './parcel.js';
import { offerProfile } from './profile.js';
import { recall } from './sealed.js';
import { byId, language } from './view.js';
import { offerWays } from './ways.js';

const api = (path, body) => post(`/api/v1/${path}`, body, { language: language() });

byId('print')?.addEventListener('click', () => print());

const device = byId('device')?.dataset;
if (device) offerRenewal(device);

/** All buttons work at once: what this browser has kept is looked for meanwhile. */
function offerRenewal({ probePattern, profiles, generation, number, subject, keys, site, label }) {
  const keepAs = `renewal of ${number} after ${generation}`;
  const installation = {
    names: [site, label],
    probePattern,
    probeAtOnce: false,
    proved: (thumbprint) => letGo(thumbprint, { release: () => api('handovers', {}) }),
    keepAs,
  };
  const deliver = (thumbprint) => api('deliveries', { thumbprint });
  offerWays({ profiles: profiles === 'true' });
  const after = Number(generation);
  offerProfile({ progress: () => api('renewals/progress', { after }), proof: { probePattern, proved: installation.proved } });
  offerCeremony({
    ...installation,
    subject,
    keys: keys.split(' '),
    kept: recall(keepAs).then((kept) => kept?.request),
    submit: (csr) => api('renewals', { csr, name_until: true }),
    deliver,
    more: () => ({}),
  });
  offerRest(keepAs, installation, deliver);
}

/** A renewal whose page was closed before its certificate was seen at work. */
async function offerRest(keepAs, installation, deliver) {
  const begun = await recallParcel(keepAs);
  if (!begun) return;
  const { parcel, until } = begun;
  byId('unfinished').hidden = false;
  byId('resume').addEventListener('click', () => {
    startInstallation({ ...installation, parcel, until, more: {}, isResumed: true, deliver: () => deliver(parcel.thumbprint) });
  });
}
