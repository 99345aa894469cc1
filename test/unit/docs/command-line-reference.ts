import type { Command } from 'commander';
import { addSettingFlags, makeProgram } from '../../../src/cli/program.ts';

/** `docs/command-line.md`: what `--help` says of every command. */
export async function makeCommandLineReference(): Promise<string> {
  const program = makeProgram({ act: async () => {}, write: { out: () => {}, err: () => {} } });
  await addSettingFlags(program, ['build']);
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  const pages = [program, ...commands].map(makePage);
  return `# The command line

Exit status: 0 done; 1 it failed; 2 the input is wrong (every problem at once, each with its place); 130 interrupted. Standard
output carries results only (paths, JSON); progress and errors go to standard error. The first Ctrl-C stops and cleans up, a
second one ends at once.

Variables: \`KVMIMG_CACHE_DIR\` (else \`XDG_CACHE_HOME/kvmimg\`, else \`~/.cache/kvmimg\`) is where downloads and layers are;
\`KVMIMG_DEBUG=1\` shows debug lines;
\`KVMIMG_DISTROS_DIR\` is a folder of distro facts that stands in for kvmimg's own. \`http_proxy\`, \`https_proxy\` and \`no_proxy\` are heeded where the recipe names no proxy.

This page is what \`--help\` prints; a test holds the two together.

${pages.join('\n')}`;
}

function makePage(command: Command): string {
  const help = command
    .configureHelp({ helpWidth: 110 })
    .helpInformation()
    .trimEnd()
    .split('\n')
    .map((line) => (line === '' ? '' : `    ${line}`));
  return `## ${nameOf(command)}\n\n${help.join('\n')}\n`;
}

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}
