// A web application with accounts and passwords of its own, on its way to Tegata. Whoever comes through the gate for the first
// time signs in once more as before; from then on the gate is enough, and the old password is not asked again.
import express from 'express';
import { escaped, onlyThroughTheGate, page } from './tegata.mjs';

// What the application has had for years. Here it is in memory, and the password plain, to be short.
const accounts = new Map([['hanako', { password: 'old-password', name: '佐藤 花子' }]]);
// The one new table: the subject of the assertion, unique, and the account it belongs to.
const links = new Map();

const app = express();
app.use(onlyThroughTheGate, express.urlencoded({ extended: false }));

app.post('/link', (request, response) => {
  const { asking } = response.locals;
  const account = accounts.get(request.body?.login);
  // A device that comes for itself is nobody's account.
  const isPerson = asking.sub.startsWith('person:');
  if (!isPerson || !account || account.password !== request.body.password) return response.status(403).send(old('違います'));
  links.set(asking.sub, account);
  response.redirect(303, '/');
});

app.use((_request, response) => {
  const account = links.get(response.locals.asking.sub);
  response.send(account ? page('在庫', `<p id="welcome">${escaped(account.name)}さん</p>`) : old(''));
});

const old = (problem) =>
  page('これまでのログイン', `<p id="problem">${problem}</p><form method="post" action="/link"><label>ログイン <input id="login" name="login"></label>
    <label>パスワード <input id="password" name="password" type="password"></label><button>結び付ける</button></form>`);

app.listen(Number(process.env.PORT), process.env.HOST);
