import type { Command } from 'commander';
import { addSettingFlags, makeProgram } from '../../../src/cli/program.ts';

/** `docs/command-line.md`: what `--help` says of every command. */
export async function makeCommandLineReference(): Promise<string> {
  const said: string[] = [];
  const write = { out: (text: string) => void said.push(text), err: () => {} };
  const program = makeProgram({ act: async () => {}, write });
  const flagless = makeProgram({ act: async () => {}, write });
  await addSettingFlags(program, ['build']);
  const commands = program.commands.flatMap((command) => [command, ...command.commands]);
  // Help on kvmimg itself loads no flags of the recipe, and shows no command to have them.
  const pages = [flagless, ...commands].map((command) => {
    said.length = 0;
    command.configureHelp({ helpWidth: 110 }).outputHelp();
    return makePage(command, said.join(''));
  });
  return `# The command line

Exit status: 0 done; 1 it failed; 2 the input is wrong (every problem at once, each with its place); 130 interrupted. Standard
output carries results only (paths, JSON); progress and errors go to standard error. The first Ctrl-C stops and cleans up, a
second one ends at once.

This page is what \`--help\` prints; a test holds the two together.

${pages.join('\n')}`;
}

function makePage(command: Command, help: string): string {
  const lines = help.trimEnd().split('\n');
  return `## ${nameOf(command)}\n\n${lines.map((line) => (line === '' ? '' : `    ${line}`)).join('\n')}\n`;
}

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}
