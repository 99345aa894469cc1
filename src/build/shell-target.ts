import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readImageKind } from '../disk/image-kind.ts';
import { findDistro, listDistroIds } from '../distro/catalogue.ts';
import { InputError, KvmimgError } from '../errors.ts';
import type { Layer, LayerStore, StoreContents, StoredLayer } from '../layer/store.ts';
import type { PlanOptions } from '../plan/make-plan.ts';
import type { AccelChoice } from '../plan/plan.ts';
import { resolvePlan } from '../plan/resolve-plan.ts';
import type { Recipe } from '../recipe/schema.ts';
import { suggestName } from '../suggestion.ts';
import type { BootRequest } from '../verify/boot-image.ts';
import { findHeldMachines, type HeldMachine } from './held-machine.ts';

export type ShellSettings = Pick<Recipe, 'arch' | 'cpus' | 'memory' | 'firmware' | 'network'>;

/** What can be entered. */
export type ShellTarget =
  | { readonly kind: 'machine'; readonly machine: HeldMachine }
  | { readonly kind: 'layer'; readonly layer: Layer; readonly root: Layer; readonly settings: ShellSettings }
  | { readonly kind: 'image'; readonly image: BootRequest['image']; readonly settings: ShellSettings };

export interface ShellRequest {
  /** Id of a held machine, recipe file, distro, id or key of a layer or the beginning of one, image file. */
  readonly what: string;
  readonly sets: readonly string[];
  readonly cwd: string;
  readonly cacheDir: string;
  readonly accel: AccelChoice;
}

/** What a layer or an image does not say of the machine that it is booted on. */
const usualSettings: ShellSettings = { arch: 'amd64', cpus: 2, memory: 2 * 2 ** 30, firmware: 'bios', network: 'dhcp' };

/**
 * Finds what the user wants to enter; changes nothing.
 *
 * @throws InputError where it is nothing that can be entered; KvmimgError `no-layer` where no build has left any.
 */
export async function findShellTarget(request: ShellRequest, store: LayerStore): Promise<ShellTarget> {
  const { what, cacheDir } = request;
  const machine = (await findHeldMachines(cacheDir)).find((held) => held.id === what);
  if (machine) return { kind: 'machine', machine };
  if (/\.(ya?ml|json)$/.test(what) || (await findDistro(what))) return findLayerOfRecipe(request, store);
  const contents = await store.list();
  const layer = /^[0-9a-f-]{4,}$/.test(what) ? findLayerById(what, contents) : undefined;
  if (layer) return targetOf(layer, contents);
  return findImage(request);
}

async function findLayerOfRecipe(request: ShellRequest, store: LayerStore): Promise<ShellTarget> {
  const { what, sets, cwd, cacheDir, accel } = request;
  const options: PlanOptions = {
    ...{ accel, cacheDir, outputDir: cwd, mediaDirs: [], cache: 'use', phases: {} },
    ...{ force: true, keepOnFailure: false, offline: true },
  };
  const plan = await resolvePlan({ subject: what, flags: [], sets, cwd }, options, { checksHost: false });
  let newest: Layer | undefined;
  for (const { key, phase } of plan.layers) {
    if (phase === 'verify' || phase === 'export') continue;
    const next = await store.find({ key, ...(newest ? { parentId: newest.record.id } : {}) });
    if (next === undefined) break;
    newest = next;
  }
  if (newest) return targetOf(newest, await store.list(), plan.recipe);
  throw new KvmimgError({
    code: 'no-layer',
    message: `There is no layer of ${what} in the cache.`,
    hint: `Build it, or the first part of it: kvmimg build ${what} --until install.`,
  });
}

/** The layer whose id or key begins so; of several makings of one key the newest. */
function findLayerById(prefix: string, { layers, damaged }: StoreContents): StoredLayer | undefined {
  const found = layers.filter(({ record }) => record.id.startsWith(prefix) || record.key.startsWith(prefix));
  const spoilt = damaged.find(({ folder }) => folder.split(/[\\/]/).some((name) => name.startsWith(prefix)));
  if (found.length === 0 && spoilt) {
    throw new InputError([{ place: prefix, message: `this layer cannot be used: ${spoilt.damage}` }]);
  }
  if (new Set(found.map((layer) => layer.record.key)).size > 1) {
    const names = found.map(({ record }) => `${record.id.slice(0, 13)} (${record.title} of ${record.recipe})`);
    throw new InputError([
      { place: prefix, message: 'is the beginning of several layers', hint: `Give more of one: ${names.join(', ')}.` },
    ]);
  }
  return found.at(-1);
}

/** @param recipe what is known of the machine; the layers tell how they were installed. */
function targetOf(layer: Layer, { layers }: StoreContents, recipe?: Recipe): ShellTarget {
  const { record } = layer;
  if (record.disk === null) {
    throw new InputError([{ place: record.id, message: `the layer of ${record.title} has no disk to boot` }]);
  }
  let root = layer;
  for (;;) {
    const { parentId } = root.record;
    const parent = layers.find((candidate) => candidate.record.id === parentId);
    if (parent === undefined) break;
    root = parent;
  }
  if (root.record.parentId !== undefined) {
    throw new InputError([{ place: record.id, message: 'what this layer stands on is gone' }]);
  }
  const { arch, firmware } = root.record.inputs;
  const installed: ShellSettings = {
    ...usualSettings,
    arch: arch === 'arm64' ? 'arm64' : usualSettings.arch,
    firmware: firmware === 'uefi' ? 'uefi' : usualSettings.firmware,
  };
  return { kind: 'layer', layer, root, settings: recipe ?? installed };
}

async function findImage({ what, cwd }: ShellRequest): Promise<ShellTarget> {
  const path = resolve(cwd, what);
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    throw new InputError([
      {
        place: what,
        message: 'there is no such recipe, distro, layer, image file or kept machine',
        hint: /[./]/.test(what)
          ? '`kvmimg cache ls` lists the layers.'
          : `\`kvmimg cache ls\` lists the layers. ${suggestName(what, await listDistroIds())}`,
      },
    ]);
  }
  const kind = await readImageKind(path);
  if (kind.is === 'disk' && kind.format !== 'vmdk') {
    return { kind: 'image', image: { path, format: kind.format }, settings: usualSettings };
  }
  const [name, hint] =
    kind.is === 'other'
      ? [kind.what, kind.hint]
      : [kind.is === 'ova' ? 'an OVA' : 'a VMDK', `Convert it first: kvmimg convert ${what} --format qcow2.`];
  throw new InputError([
    { place: what, message: `is not an image that can be booted: it is ${name}`, ...(hint ? { hint } : {}) },
  ]);
}
