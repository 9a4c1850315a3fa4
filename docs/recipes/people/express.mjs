// A web application that knows the person before it: Express, behind a gate with --session.
import express from 'express';
import { escaped, onlyThroughTheGate, page } from './tegata.mjs';

const app = express();
app.use(onlyThroughTheGate);

app.get('/api/me', (_request, response) => response.json(response.locals.asking));
app.use((request, response) => {
  const { sub, device, site } = response.locals.asking;
  const facts = `<dl><dt>利用者</dt><dd id="person">${escaped(sub)}</dd><dt>端末</dt><dd id="device">${escaped(device)}</dd>
    <dt>店舗</dt><dd>${escaped(site)}</dd><dt>ページ</dt><dd id="page">${escaped(request.originalUrl)}</dd></dl>`;
  response.send(page('在庫', `${facts}<p><a id="sign-out" href="/.tegata/sign-out">サインアウト</a></p>`));
});

app.listen(Number(process.env.PORT), process.env.HOST);
