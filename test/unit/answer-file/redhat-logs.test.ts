import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadRedhatTemplates } from '../../../src/answer-file/redhat.ts';
import { fillTemplate } from '../../../src/answer-file/template.ts';
import { quoteShellWord } from '../../../src/process/quote-command.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kvmimg-logs-'));
  mkdirSync(join(dir, 'bin'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function program(name: string, body: string): void {
  writeFileSync(join(dir, 'bin', name), `#!/bin/sh\n${body}\n`);
  chmodSync(join(dir, 'bin', name), 0o755);
}

/** Runs the script with a sleep that first does these in turn, then ends the script. */
async function runLogs(rounds: readonly string[]): Promise<string> {
  const { 'logs.sh': template } = await loadRedhatTemplates();
  const script = fillTemplate(template, { callbackUrl: 'http://10.0.2.2:1/token/callback' }, quoteShellWord);
  program('journalctl', 'echo from the journal');
  // The name of the log is the last word; what is sent comes by standard input.
  program('curl', `for word; do :; done\necho "POST \${word##*/}" >>${dir}/sent\ncat >>${dir}/sent`);
  for (const [index, round] of rounds.entries()) writeFileSync(join(dir, `round-${index + 1}`), round);
  program('sleep', `echo >>${dir}/count\nround=${dir}/round-$(wc -l <${dir}/count)\n[ -e $round ] && sh -c ". $round"`);
  execFileSync('/bin/sh', ['-c', script.replace('logs=/tmp', `logs=${dir}`)], {
    cwd: dir,
    env: { ...process.env, PATH: `${dir}/bin:${process.env.PATH}` },
    stdio: 'ignore',
  });
  return readFileSync(join(dir, 'sent'), 'utf8').replace('POST modules\nfrom the journal\n', '');
}

describe('the script that sends logs home', () => {
  it('sends what is new, in whole lines', async () => {
    const sent = await runLogs([
      'printf "one\\ntwo\\nthr" >anaconda.log',
      'printf "ee\\n" >>anaconda.log; echo p >packaging.log',
      'true',
    ]);
    expect(sent).toBe('POST anaconda\none\ntwo\nPOST anaconda\nthree\nPOST packaging\np\n');
  });

  it('sends a long log in portions', async () => {
    const sent = await runLogs(['seq 1500 >anaconda.log', 'true']);
    const lines = sent.trimEnd().split('\n');
    expect(lines.filter((line) => line === 'POST anaconda')).toHaveLength(2);
    expect(lines.filter((line) => /^\d+$/.test(line))).toEqual(
      Array.from({ length: 1500 }, (_, index) => `${index + 1}`),
    );
  });
});
