import secureJson from 'secure-json-parse'
import { ProblemError } from '../http/problem.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The strings and numbers of a JSON text. */
const stringOrNumber = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

/** What a number has that a double may not keep: more than 15 digits, or a very small power of ten. */
const perhapsChanged = /[\d.]{16}|e-\d{3}/i

/**
 * Parses the body of a request as JSON (RFC 8259). Numbers whose value a double does not keep are refused
 * rather than changed in silence.
 * @throws {ProblemError} `invalid-request` for malformed UTF-8 or JSON, and for the members
 *   `__proto__` and `constructor.prototype`; `validation-failed` for a number that isn't kept
 */
export function parseJson(body: Buffer): unknown {
  const text = decode(body)
  const value = parse(text)
  if (perhapsChanged.test(text)) refuseChangedNumbers(text)
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

function refuseChangedNumbers(text: string): void {
  for (const [literal] of text.matchAll(stringOrNumber)) {
    if (literal.startsWith('"') || !perhapsChanged.test(literal) || isKept(literal)) continue
    const detail = `${literal.slice(0, 40)} would become ${Number(literal)}. Send it as a string.`
    throw new ProblemError('validation-failed', { detail, errors: [{ detail, pointer: '/data' }] })
  }
}

/**
 * Whether a number has the value that its double is written with. Or, unless it is written as an integer, with up to 17
 * digits: many clients print a double so, `0.10000000000000001`, and read the same one back. What no double can hold is
 * refused elsewhere, where its name is known.
 */
function isKept(literal: string): boolean {
  const double = Number(literal)
  const written = String(double)
  if (written === literal || !Number.isFinite(double)) return true
  const value = decimalOf(literal)
  if (isSame(value, decimalOf(written))) return true
  const { length } = value.digits
  return (
    /[.e]/i.test(literal) && length < 18 && isSame(value, decimalOf(double.toPrecision(length)))
  )
}

interface Decimal {
  readonly digits: string
  readonly exponent: number
}

function isSame(one: Decimal, other: Decimal): boolean {
  return one.digits === other.digits && one.exponent === other.exponent
}

const numberParts = /^-?(\d+)(?:\.(\d+))?(?:e(.+))?$/i

/** A number as its significant digits times a power of ten, so that equal values are alike; without its sign. */
function decimalOf(literal: string): Decimal {
  const [, whole = '', fraction = '', power = '0'] = numberParts.exec(literal) ?? []
  const digits = whole + fraction
  // not by a regular expression, whose time would grow with the square of a row of zeros
  let [start, end] = [0, digits.length]
  while (digits[start] === '0') start++
  while (end > start && digits[end - 1] === '0') end--
  const exponent = start === end ? 0 : Number(power) - fraction.length + digits.length - end
  return { digits: digits.slice(start, end), exponent }
}
