import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** An ar archive of these members, as deb(5) wants it. */
export function makeAr(members: readonly (readonly [string, Uint8Array])[]): Buffer {
  const parts = members.flatMap(([name, content]) => {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`;
    return [
      Buffer.from(`${header}${String(content.length).padEnd(10)}\`\n`),
      content,
      Buffer.from(content.length % 2 === 1 ? '\n' : ''),
    ];
  });
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}

/** A .deb with this data archive. */
export function makeDebAround(dataName: string, data: Uint8Array): Buffer {
  return makeAr([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync('odd')],
    [dataName, data],
  ]);
}

/** A .deb with these files, compressed by gzip. */
export async function makeDeb(files: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name: `./${name}` }, Buffer.from(content));
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return makeDebAround('data.tar.gz', gzipSync(Buffer.concat(chunks)));
}

/**
 * usr/lib/boot/{README,initrd.gz,linux} as `tar --sort=name --owner=0 --group=0 --mtime=@0 -c ./usr | xz -9e` wrote it;
 * Node itself cannot write xz.
 */
export const dataTarXz = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4Cf/AMJdABcLyyeJ8uv7sv6J4fnJCB0cKx5/hlD7z8AiblPuVvXoYIucEPTnK6pVQDhE' +
    'bCDLQEcTOnogpaX01Eo2j7y3uRQ4qQKJxhucuC9Dom+2Rw4s4Xr0NfjOsiWSVzj9J1mLOHttViJgMqW8OyumHZFCQrI1GkW8L1xQ' +
    'IIPItc8LBYAV+xLVN1JlbKauhg5X51kiLjS5hucy7ac19MF+Wj5d60wGyxai1JyRKDwQbnY1LmjpOCTYmhUeby2+tUxhhZ8Js/8A' +
    'AAAASg0iZjagAp4AAd4BgFAAALkY5FexxGf7AgAAAAAEWVo=',
  'base64',
);
