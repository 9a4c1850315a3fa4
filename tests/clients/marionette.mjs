// The remote control that Firefox has built in: commands and answers are JSON arrays on a local TCP connection, each
// preceded by its length in bytes.
import { spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

const START_MS = 50_000;

/** One running Firefox. */
export class Marionette {
  #process;
  #socket;
  #received = Buffer.alloc(0);
  #waiting = new Map();
  #last = 0;

  /** Starts Firefox with the profile in `folder` and opens a session. `context` of later calls is `content`. */
  static async start({ program, folder, environment, capabilities }) {
    const control = new Marionette();
    const portFile = join(folder, 'MarionetteActivePort');
    await rm(portFile, { force: true });
    const options = ['--headless', '--no-remote', '--marionette', '--remote-allow-system-access', '--profile', folder];
    control.#process = spawn(program, options, { env: environment, stdio: ['ignore', 'ignore', 'inherit'] });
    await control.#connect(await port(portFile, control.#process));
    await control.call('WebDriver:NewSession', { capabilities: { alwaysMatch: capabilities } });
    return control;
  }

  /** Sends a command of the WebDriver standard and resolves to its value. */
  async call(name, parameters = {}) {
    const id = ++this.#last;
    const message = JSON.stringify([0, id, name, parameters]);
    const answer = new Promise((resolve, reject) => { this.#waiting.set(id, { resolve, reject }); });
    this.#socket.write(`${Buffer.byteLength(message)}:${message}`);
    const result = await answer;
    return result !== null && typeof result === 'object' && 'value' in result ? result.value : result;
  }

  /** Runs a script in the page, beside the page's own ones. It may return a promise. */
  run(script, ...args) {
    return this.call('WebDriver:ExecuteScript', { script, args });
  }

  /** Runs a script in Firefox itself. */
  async runInside(script, ...args) {
    await this.call('Marionette:SetContext', { value: 'chrome' });
    try {
      return await this.run(script, ...args);
    } finally {
      await this.call('Marionette:SetContext', { value: 'content' });
    }
  }

  /** Closes Firefox and waits until it is gone. */
  async quit() {
    const gone = new Promise((resolve) => { this.#process.once('exit', resolve); });
    if (this.#process.exitCode !== null) return;
    this.call('Marionette:Quit', { flags: ['eForceQuit'] }).catch(() => {});
    await gone;
  }

  async #connect(number) {
    this.#socket = connect(number, '127.0.0.1');
    const greeting = new Promise((resolve, reject) => {
      this.#waiting.set(0, { resolve, reject });
      this.#socket.once('error', reject);
    });
    this.#socket.on('data', (bytes) => this.#receive(bytes));
    this.#socket.on('close', () => this.#end());
    await greeting;
  }

  #receive(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (let colon = this.#received.indexOf(':'); colon > 0; colon = this.#received.indexOf(':')) {
      const end = colon + 1 + Number(this.#received.subarray(0, colon).toString());
      if (this.#received.length < end) return;
      const message = JSON.parse(this.#received.subarray(colon + 1, end).toString());
      this.#received = this.#received.subarray(end);
      this.#settle(Array.isArray(message) ? message : [1, 0, null, message]);
    }
  }

  #settle([, id, error, result]) {
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) reject(new Error(`${error.error}: ${error.message}`));
    else resolve(result);
  }

  #end() {
    for (const { reject } of this.#waiting.values()) reject(new Error('Firefox is gone'));
    this.#waiting.clear();
  }
}

/** Firefox writes the port it chose into its profile. */
async function port(file, child) {
  for (let waited = 0; waited < START_MS && child.exitCode === null; waited += 50) {
    const number = Number(await readFile(file, 'utf8').catch(() => ''));
    if (number > 0) return number;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error('Firefox does not start');
}
