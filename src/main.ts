#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
import { makeOutput } from './cli/output.ts';
import { runCli } from './cli/run-cli.ts';

process.exitCode = await runCli(process.argv.slice(2), {
  output: makeOutput(process.stdout, process.stderr),
  env: process.env,
  cwd: process.cwd(),
});
