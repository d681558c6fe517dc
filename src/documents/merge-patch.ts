import { isObject } from '../json/object.ts'

/**
 * Applies a JSON Merge Patch (RFC 7396 section 2): null deletes a member, objects merge, all else
 * replaces. Returns a new value and changes neither argument.
 */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const result = new Map(Object.entries(isObject(target) ? target : {}))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name)
    else result.set(name, mergePatch(result.get(name), value))
  }
  return Object.fromEntries(result)
}
