// How the tests steer a browser: commands come in as lines of JSON, answers go out as lines of JSON.
import { createInterface } from 'node:readline';

/**
 * Obeys `commands`, by the name in `do`, until `close`. `circumstances()` is told with a command that fails: where the
 * browser was, and what its page complained about.
 */
export async function obeyLines(commands, circumstances) {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(await obey(command))}\n`);
    if (command.do === 'close') return;
  }
  await commands.close();

  async function obey(command) {
    try {
      return { ok: (await commands[command.do](command)) ?? null };
    } catch (error) {
      return { error: `${error.message}\n${await circumstances()}` };
    }
  }
}

/** What axe-core found, `[{id, help, nodes: [html]}]`: whoever cannot see the page, or has no mouse, uses it too. */
export function refuseViolations(where, violations) {
  if (violations.length === 0) return;
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.join('\n  ')}`);
  throw new Error(`${where} is not accessible\n${told.join('\n')}`);
}

/** Looks again and again until `look()` gives something, for `patience` milliseconds. */
export async function until(look, what, patience) {
  for (let waited = 0; waited < patience; waited += 50) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`${what}: not within ${patience / 1000} s`);
}
