import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fillOwnAnswer, loadAnswer } from '../../../src/answer-file/load-answer.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';

describe("the user's own answer file", () => {
  it("takes the place of kvmimg's, with the build's names filled in and others as they are", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kvmimg-own-answer-'));
    const path = join(folder, 'own.cfg');
    const text = 'd-i preseed/early_command string wget {{callbackUrl}}/early\n# {{ds.meta_data}} {{unknown}} $1 $&\n';
    await writeFile(path, text);
    const plan = {
      ...(await planForDistro('debian-13', { answerFile: 'own.cfg' })),
      sources: [{ source: 'own.cfg', path, sha256: '', sizeBytes: 1 }],
    };
    const { files, kernelArguments } = await loadAnswer(plan, answerRun, []);
    expect(files['preseed.cfg']).toBe(text.replace('{{callbackUrl}}', 'http://10.0.2.2:1234/token/callback'));
    expect(files['late.sh']).toContain('late');
    expect(kernelArguments).toContain('url=http://10.0.2.2:1234/token/seed/preseed.cfg');
    await rm(folder, { recursive: true });
  });

  it("is refused where it asks for more than it gets, as a copy of kvmimg's template does", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kvmimg-own-answer-'));
    const path = join(folder, 'own.cfg');
    await writeFile(path, 'd-i time/zone string {{timezone}}\nd-i pkgsel/include string {{packages}} {{seedUrl}}\n');
    const plan = {
      ...(await planForDistro('debian-13', { answerFile: 'own.cfg' })),
      sources: [{ source: 'own.cfg', path, sha256: '', sizeBytes: 1 }],
    };
    await expect(loadAnswer(plan, answerRun, [])).rejects.toMatchObject({
      exitStatus: 2,
      message: 'own.cfg: nothing is filled in for {{timezone}}, {{packages}}',
    });
    await rm(folder, { recursive: true });
  });

  it('can make the user and the host key that the build needs', () => {
    const text =
      '{{buildUser}} {{buildUserKey}}\n{{hostPrivateKeyBase64}}\n{{hostPublicKey}} {{diskSerial}} {{syslogPort}}';
    expect(fillOwnAnswer(text, answerRun)).toBe(
      `kvmimg-build ssh-ed25519 AAAAbuild\n${Buffer.from(answerRun.hostKey.privateKey).toString('base64')}\nssh-ed25519 AAAAhost kvmimg-root 5514`,
    );
  });
});
