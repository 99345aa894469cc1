import { KvmimgError, systemErrorCode } from '../errors.ts';

/** Turns "no space left" into a sentence that names the path; other errors pass. */
export function describeWriteFailure(path: string, error: unknown): unknown {
  if (!['ENOSPC', 'EDQUOT'].includes(systemErrorCode(error) ?? '')) return error;
  return new KvmimgError({
    code: 'no-space',
    message: `No space is left to write ${path}.`,
    hint: 'Free some space, or put the cache elsewhere with KVMIMG_CACHE_DIR.',
    cause: error,
  });
}
