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

async function offerRenewal({ probePattern, profiles, generation, number, subject, keys, site, label }) {
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
  const begun = await recallParcel(keepAs);
  byId('unfinished').hidden = !begun;
  byId('resume').addEventListener('click', () => {
    const { parcel, until } = begun;
    startInstallation({ ...installation, parcel, until, more: {}, isResumed: true, deliver: () => deliver(parcel.thumbprint) });
  });
  const kept = begun ? undefined : await recall(keepAs);
  offerCeremony({
    ...installation,
    subject,
    keys: keys.split(' '),
    kept: kept?.request,
    submit: (csr) => api('renewals', { csr, name_until: true }),
    deliver,
    more: () => ({}),
  });
}
