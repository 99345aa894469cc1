import { sha256Of } from '../../../src/media/digest.ts';

interface TreeDigests {
  readonly kernel: string;
  readonly initrd: string;
  readonly stage2: string;
}

/** A `.treeinfo` as composes of EL 9 have it. */
export function makeTreeInfo({ kernel, initrd, stage2 }: TreeDigests): string {
  return `[checksums]
images/install.img = sha256:${stage2}
images/pxeboot/initrd.img = sha256:${initrd}
images/pxeboot/vmlinuz = sha256:${kernel}

[general]
; WARNING.0 = This section provides compatibility with pre-productmd treeinfos.
arch = x86_64
family = Rocky Linux
version = 9.6

[header]
type = productmd.treeinfo
version = 1.2

[images-x86_64]
initrd = images/pxeboot/initrd.img
kernel = images/pxeboot/vmlinuz

[release]
name = Rocky Linux
short = Rocky
version = 9.6

[stage2]
mainimage = images/install.img

[tree]
arch = x86_64
platforms = x86_64,xen
variants = BaseOS
`;
}

export const treeContents = { kernel: 'a kernel', initrd: 'an initrd', stage2: 'a second stage' };

/** The files of a small installation tree, by path below `base`. */
export function makeTreeFiles(base: string): Record<string, string> {
  const { kernel, initrd, stage2 } = treeContents;
  return {
    [`${base}/.treeinfo`]: makeTreeInfo({
      kernel: sha256Of(kernel),
      initrd: sha256Of(initrd),
      stage2: sha256Of(stage2),
    }),
    [`${base}/images/pxeboot/vmlinuz`]: kernel,
    [`${base}/images/pxeboot/initrd.img`]: initrd,
    [`${base}/images/install.img`]: stage2,
  };
}
