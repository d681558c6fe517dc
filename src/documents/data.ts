import { ProblemError } from '../http/problem.ts'
import type { ProblemKind } from '../http/problem.ts'
import { limits } from './document.ts'
import type { DocumentData } from './document.ts'

/**
 * Serializes the data of a document, within the bounds of {@link limits}.
 * @throws {ProblemError} `validation-failed` if it is nested too deep or has a number too large for
 *   a double; `tooLarge` if it has too many bytes
 */
export function serializeData(data: DocumentData, tooLarge: ProblemKind): string {
  checkValue(data, '/data', 1)
  const text = JSON.stringify(data)
  if (Buffer.byteLength(text) <= limits.dataBytes) return text
  const detail = `data may have ${limits.dataBytes} bytes as UTF-8.`
  throw new ProblemError(tooLarge, { detail, errors: [{ detail, pointer: '/data' }] })
}

/**
 * Checks a merge patch before it is applied: applying recurses, and the result is nested at least as deep.
 * @throws {ProblemError} `validation-failed` as {@link serializeData}
 */
export function checkPatch(patch: unknown): void {
  checkValue(patch, '', 0)
}

function checkValue(value: unknown, pointer: string, depth: number): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw fault(pointer, 'a number beyond the range of a double')
  if (typeof value !== 'object' || value === null) return
  if (depth > limits.dataDepth)
    throw fault(pointer, `nested deeper than ${limits.dataDepth} levels`)
  for (const [name, member] of Object.entries(value))
    checkValue(member, `${pointer}/${escapePointer(name)}`, depth + 1)
}

function fault(pointer: string, detail: string): ProblemError {
  return new ProblemError('validation-failed', { errors: [{ detail, pointer }] })
}

/** RFC 6901 section 3. */
function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
