import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// unit: no QEMU; fake: whole builds with a fake QEMU; tool: real QEMU with tiny guests; boot: builds with tiny installers, and
// what else of real QEMU and of other programs takes its time; chaos: builds with a fake QEMU
// that are killed and hurt, for minutes; install: a real installer, 40 minutes and more.

// Vitest leaves one processor to itself; on two that halves the speed.
const maxWorkers = Math.max(2, availableParallelism() - 1);

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 10_000, maxWorkers } },
      { test: { name: 'fake', include: ['test/fake/**/*.test.ts'], testTimeout: 60_000, maxWorkers } },
      {
        test: {
          name: 'tool',
          include: ['test/tool/**/*.test.ts'],
          testTimeout: 60_000,
          fileParallelism: false,
          // Real machines, after the rest and alone.
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: 'boot', include: ['test/boot/**/*.test.ts'], testTimeout: 120_000, fileParallelism: false } },
      { test: { name: 'chaos', include: ['test/chaos/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          name: 'install',
          include: ['test/install/**/*.test.ts'],
          testTimeout: 60 * 60_000,
          hookTimeout: 60 * 60_000,
          // The machines have one processor each.
          maxWorkers: 2,
        },
      },
    ],
  },
});
