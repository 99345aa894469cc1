import { messageOf } from '../errors.ts';
import { packageManagers } from '../guest/packages/package-manager.ts';
import { provisionPart } from '../guest/provision.ts';
import type { Layer } from '../layer/store.ts';
import type { PlannedLayer } from '../plan/plan.ts';
import { type LayerProduct, type ObtainedLayer, obtainLayer } from './build-layers.ts';
import type { BuildRun } from './build-run.ts';
import { explainedBy } from './failure-report.ts';
import { type GuestBoot, letBeSilent, startGuestBoot } from './guest-boot.ts';
import { keptOnFailure } from './held-machine.ts';
import { importBase } from './import-base.ts';
import { install } from './install-phase.ts';
import type { PhaseClock, Tell } from './phase-clock.ts';
import { sealGuest } from './seal-guest.ts';
import { loadSources } from './sources.ts';

/**
 * The layers of the disk, from the install to the seal (or as far as the plan goes), each taken from the store or made.
 * What is missing after the install is made in one boot, which leaves a layer after each step, so that a failure or a
 * change costs no more than it must.
 */
export async function buildChain(run: BuildRun, clock: PhaseClock): Promise<readonly ObtainedLayer[]> {
  const planned = run.plan.layers.filter((layer) => ['install', 'provision', 'seal'].includes(layer.phase));
  const obtained: ObtainedLayer[] = [];
  const guests = new GuestOfChain(run, clock);
  try {
    for (const layer of planned) {
      const [installed, parent] = [obtained[0]?.layer, obtained.at(-1)?.layer];
      const next =
        installed && parent
          ? await obtainLayer(run, {
              ...{ planned: layer, parent },
              onWait: () => guests.leave(),
              make: (id) => guests.make(layer, { id, parent, keys: installed.folder }),
            })
          : await obtainLayer(run, { planned: layer, make: () => makeFirst(run, clock) });
      // The boot stands on layers of its own; what another has made has another disk.
      if (next.reused) {
        clock.reuse(layer.phase);
        await guests.leave();
      }
      obtained.push(next);
    }
  } finally {
    await guests.leave();
  }
  return obtained;
}

/** The disk that everything else stands on: installed, or of an image. */
function makeFirst(run: BuildRun, clock: PhaseClock): Promise<LayerProduct> {
  const { base } = run.plan.recipe;
  const image = run.plan.sources.find((source) => source.source === base);
  return image ? importBase(run, image.path, clock) : install(run, clock);
}

interface Place {
  readonly id: string;
  readonly parent: Layer;
  /** The folder of the keys that let the build in. */
  readonly keys: string;
}

/** The one boot, if any, in which the layers of a chain are made. */
class GuestOfChain {
  readonly #run: BuildRun;
  readonly #clock: PhaseClock;
  #boot: GuestBoot | undefined;
  #leaving: Promise<void> = Promise.resolve();

  constructor(run: BuildRun, clock: PhaseClock) {
    this.#run = run;
    this.#clock = clock;
  }

  make(planned: PlannedLayer, place: Place): Promise<LayerProduct> {
    const phase = planned.phase === 'seal' ? 'seal' : 'provision';
    const title = phase === 'seal' ? 'Seal the image' : 'Provision over SSH';
    return this.#clock.run(phase, title, async (tell) => {
      const startMs = performance.now();
      this.#boot ??= await startGuestBoot(this.#run, place, tell);
      const boot = this.#boot;
      const product = await keptOnFailure<Omit<LayerProduct, 'seconds'>>(this.#run, boot, () =>
        phase === 'seal' ? this.#seal(boot, tell) : this.#provision(boot, planned, place, tell),
      );
      return { ...product, seconds: Math.round((performance.now() - startMs) / 100) / 10 };
    });
  }

  /** Ends the boot. A machine that does not end is told of, and is no reason for the build to fail. */
  leave(): Promise<void> {
    const boot = this.#boot;
    this.#boot = undefined;
    const closing = boot
      ?.close()
      .catch((error) => this.#run.warn(`Not everything could be ended: ${messageOf(error)}`));
    this.#leaving = Promise.all([this.#leaving, closing]).then(() => {});
    return this.#leaving;
  }

  async #provision(boot: GuestBoot, planned: PlannedLayer, place: Place, tell: Tell) {
    const { watched, guest } = boot;
    const { part, title, key } = planned;
    if (part === undefined) throw new Error(`The layer ${title} says nothing of what it does.`);
    const { recipe, distro } = this.#run.plan;
    const packages = packageManagers[distro.family];
    return explainedBy(this.#run, watched, `the guest to finish ${title}`, async () => {
      const inputs = { recipe, packages, sources: await loadSources(this.#run.plan, part) };
      const { signal } = watched;
      const folder = await letBeSilent(this.#run, watched, async () => {
        await provisionPart(guest, { part, title }, inputs, { signal, onActivity: tell });
        return boot.checkpoint({ key, id: place.id });
      });
      return { folder, facts: {} };
    });
  }

  async #seal(boot: GuestBoot, tell: Tell) {
    const packages = await explainedBy(this.#run, boot.watched, 'the sealed guest to power itself off', () =>
      sealGuest(this.#run, boot, tell),
    );
    const folder = boot.folder();
    await this.leave();
    return { folder, facts: { packages: packages.map(({ name, version, arch }) => ({ name, version, arch })) } };
  }
}
