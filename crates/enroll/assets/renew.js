// The device's own page: its certificate, shown by the server, brings forth the next one.
import { post } from './api.js';
import { letGo } from './handover.js';
import { offerCeremony } from './begin.js';
import { offerProfile } from './profile.js';
import { byId, language } from './view.js';
import { offerWays } from './ways.js';

const api = (path, body) => post(`/api/v1/${path}`, body, { language: language() });

byId('print')?.addEventListener('click', () => print());

const device = byId('device')?.dataset;
if (device) {
  const { probePattern } = device;
  const proved = (thumbprint) => letGo(thumbprint, { release: () => api('handovers', {}) });
  offerWays({ profiles: device.profiles === 'true' });
  const after = Number(device.generation);
  offerProfile({ progress: () => api('renewals/progress', { after }), proof: { probePattern, proved } });
  offerCeremony({
    subject: device.subject,
    keys: device.keys.split(' '),
    names: [device.site, device.label],
    probePattern,
    probeAtOnce: false,
    submit: (csr) => api('renewals', { csr }),
    deliver: (thumbprint) => api('deliveries', { thumbprint }),
    proved,
  });
}
