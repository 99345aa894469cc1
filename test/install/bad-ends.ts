import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/process/run.ts';
import { descendants } from './listening-sockets.ts';
import { buildAndDisturb, repository, withChangedTemplate } from './watched-run.ts';

/** Of the preseed: run as soon as it is read. */
const earlyCommand = /^d-i preseed\/early_command string .*$/m;

/** How builds end that cannot go on: with the real installer, and on the install layer of README's first command. */
export function testBadEnds(site: { readonly cacheDir: () => string }): void {
  describe('stopped in the middle', () => {
    it('ends with 130 on Ctrl-C and leaves nothing', async () => {
      const ended = await buildAndDisturb(site.cacheDir(), (pid) => void process.kill(pid, 'SIGINT'));
      expect(ended.exitCode, ended.said).toBe(130);
      expect(ended.seconds).toBeLessThan(15);
      expect(ended.left).toEqual([]);
    });

    it('tells that QEMU was killed, and leaves nothing', async () => {
      const { exitCode, said, seconds, left } = await buildAndDisturb(site.cacheDir(), async (pid) => {
        for (const each of await descendants(pid)) {
          const program = await readFile(`/proc/${each}/comm`, 'utf8').catch(() => '');
          if (program.startsWith('qemu-system')) process.kill(each, 'SIGKILL');
        }
      });
      expect(exitCode, said).toBe(1);
      expect(said).toContain('QEMU was ended by SIGKILL');
      expect(said).toMatch(/serial\.log/);
      expect(seconds).toBeLessThan(15);
      expect(left).toEqual([]);
    });

    it('shows the question that the installer stops to ask, with a screenshot', async () => {
      const { exitCode, said, left } = await withChangedTemplate(
        'preseed/debian.cfg',
        (text) => text.replace(/^d-i debian-installer\/country .*$/m, ''),
        (env) => buildAndDisturb(site.cacheDir(), () => {}, env),
      );
      expect(exitCode, said).toBe(1);
      expect(said).toContain('stopped to ask a question on the console');
      expect(said).toMatch(/country|location/i);
      expect(said).toContain('screen.png');
      expect(left).toEqual([]);
    });

    it('shows the error that the installer stops at until somebody presses Enter', async () => {
      const { exitCode, said, left } = await withChangedTemplate(
        'preseed/debian.cfg',
        (text) => text.replace(earlyCommand, '$&; false'),
        (env) => buildAndDisturb(site.cacheDir(), () => {}, env),
      );
      expect(exitCode, said).toBe(1);
      expect(said).toContain('waits on the console: Failed to run preseeded command');
      expect(said.replaceAll(/\s+/g, ' ')).toContain('|| true; false" failed with exit code 1');
      expect(left).toEqual([]);
    });

    it('tells that the late script has exited 3', async () => {
      // As the first of all commands: what stands before it takes a quarter of an hour and is installed above.
      const { exitCode, said, left } = await withChangedTemplate(
        'preseed/debian.cfg',
        (text) =>
          text.replace(
            earlyCommand,
            '$&; wget -q -O /tmp/late.sh {{seedUrl}}/late.sh && sed -i "s/^callback late$/&; (exit 3)/" /tmp/late.sh && sh /tmp/late.sh',
          ),
        (env) => buildAndDisturb(site.cacheDir(), () => {}, env),
      );
      expect(exitCode, said).toBe(1);
      expect(said).toContain('The late script of the answer file failed in the guest with exit code 3.');
      expect(said).toContain('late-end/3');
      expect(left).toEqual([]);
    });
  });

  describe('in provisioning', () => {
    // The first step leaves a layer whose system boots without an SSH server.
    const steps = [
      "{scripts: [{name: closes, run: 'systemctl mask ssh.service ssh.socket'}]}",
      "{scripts: [{name: breaks, run: 'echo so far so good; exit 3'}]}",
    ];

    const build = async (...flags: readonly string[]): Promise<string> => {
      const recipe = join(site.cacheDir(), 'failing.yaml');
      await writeFile(recipe, `{name: failing, distro: debian-13, provision: [${steps.join(', ')}]}`);
      const words = ['dist/main.js', 'build', recipe, '-o', join(site.cacheDir(), 'failing-out'), ...flags];
      const options = { cwd: repository, env: { KVMIMG_CACHE_DIR: site.cacheDir() }, okExitCodes: [1] };
      const { stderr } = await run('node', words, options);
      expect(await readdir(join(site.cacheDir(), 'work'))).toEqual([]);
      expect(await readdir(join(site.cacheDir(), 'locks'))).toEqual([]);
      expect(await readdir(site.cacheDir())).not.toContain('failing-out');
      return stderr;
    };

    it("shows a script's output when it exits 3", async () => {
      const said = await build();
      expect(said).toMatch(/script breaks failed in the guest with exit code 3/);
      expect(said).toContain('so far so good');
    });

    it('ends by its limit when SSH never comes up, with what the console showed', async () => {
      const startMs = performance.now();
      const said = await build('--set', 'limits.ssh=1m');
      expect((performance.now() - startMs) / 1000).toBeLessThan(60 + 30);
      expect(said).toMatch(/Waited 60 s for .* to answer by SSH/);
      expect(said).toMatch(/Serial console:\n.*\S/);
      expect(said).toContain('screen.png');
    });
  });
}
