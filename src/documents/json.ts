import secureJson from 'secure-json-parse'
import { ProblemError } from '../http/problem.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The strings and numbers of a JSON text. */
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/**
 * Parses the body of a request as JSON (RFC 8259). Integers that JavaScript would round are refused
 * rather than changed in silence; fractions have the precision of a double.
 * @throws {ProblemError} `invalid-request` for malformed UTF-8 or JSON, and for the members
 *   `__proto__` and `constructor.prototype`; `validation-failed` for an integer that isn't kept
 */
export function parseJson(body: Buffer): unknown {
  const text = decode(body)
  const value = parse(text)
  if (/\d{16}/.test(text)) refuseRoundedIntegers(text)
  return value
}

function decode(body: Buffer): string {
  try {
    return utf8.decode(body)
  } catch (cause) {
    throw new ProblemError('invalid-request', { detail: 'The body is not UTF-8.', cause })
  }
}

function parse(text: string): unknown {
  try {
    return secureJson.parse(text)
  } catch (cause) {
    const detail = 'The body is not JSON, or has a member named __proto__ or constructor.prototype.'
    throw new ProblemError('invalid-request', { detail, cause })
  }
}

function refuseRoundedIntegers(text: string): void {
  for (const [literal] of text.matchAll(stringOrNumber)) {
    if (literal.length < 16 || /[".eE]/.test(literal) || isKept(literal)) continue
    throw new ProblemError('validation-failed', {
      detail: 'The body has an integer that would be rounded. Send it as a string.'
    })
  }
}

/** Whether the integer comes back with the same digits, or at least with the same value. */
function isKept(integer: string): boolean {
  const rounded = Number(integer)
  if (String(rounded) === integer) return true
  return Number.isFinite(rounded) && BigInt(rounded) === BigInt(integer)
}
