/** One challenge of a WWW-Authenticate field: parameter names in lower case, values unquoted. */
export interface Challenge {
  readonly scheme: string
  readonly params: Readonly<Record<string, string>>
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
// No HTAB and no obs-text: RFC 9110 section 5.5 tells senders to keep to visible ASCII and the space.
const quotedString = /"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*)"/y
const equals = /=/y
const comma = /, ?/y
const space = / /y

// RFC 6750 section 3: values that are narrower than a quoted-string.
const narrower: Readonly<Record<string, RegExp>> = {
  error: /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/,
  error_description: /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/,
  error_uri: /^[\x21\x23-\x5b\x5d-\x7e]+$/,
  scope: /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/
}

/**
 * Reads the challenges of WWW-Authenticate, one field value or several (RFC 9110 section 11.6.1), as
 * strictly as a sender should write them: no empty list elements, no blanks to spare, every challenge
 * with parameters, and none of the forms that Latchkey never sends (token68).
 * @throws {SyntaxError} for anything else, a parameter that comes twice and a value that RFC 6750 rules out
 */
export function parseChallenges(field: string | readonly string[] | null | undefined): Challenge[] {
  const values = typeof field === 'string' ? [field] : (field ?? [])
  return values.flatMap((value) => parseFieldValue(value))
}

function parseFieldValue(value: string): Challenge[] {
  const challenges: { scheme: string; params: Record<string, string> }[] = []
  const reader = new Reader(value)
  do {
    const name = reader.expect(token, 'a scheme or parameter')
    const current = challenges.at(-1)
    if (current && reader.take(equals)) addParam(current.params, name, reader)
    else challenges.push(startChallenge(name, reader))
  } while (reader.take(comma) !== undefined)
  reader.expectEnd()
  return challenges
}

function startChallenge(scheme: string, reader: Reader) {
  const params: Record<string, string> = {}
  reader.expect(space, 'a space and parameters')
  const name = reader.expect(token, 'a parameter')
  reader.expect(equals, '=')
  addParam(params, name, reader)
  return { scheme, params }
}

function addParam(params: Record<string, string>, writtenName: string, reader: Reader): void {
  const name = writtenName.toLowerCase()
  if (Object.hasOwn(params, name)) throw new SyntaxError(`Parameter ${name} comes twice`)
  const quoted = reader.take(quotedString)
  const value = quoted?.slice(1, -1).replaceAll(/\\(.)/g, '$1') ?? reader.expect(token, 'a value')
  if (narrower[name]?.test(value) === false)
    throw new SyntaxError(`RFC 6750 does not allow ${name}=${JSON.stringify(value)}`)
  params[name] = value
}

/** Walks over a string, pattern by pattern. */
class Reader {
  readonly #text: string
  #position = 0

  constructor(text: string) {
    this.#text = text
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position
    const [match] = pattern.exec(this.#text) ?? []
    this.#position += match?.length ?? 0
    return match
  }

  expect(pattern: RegExp, what: string): string {
    const match = this.take(pattern)
    if (match === undefined) this.#fail(what)
    return match
  }

  expectEnd(): void {
    if (this.#position < this.#text.length) this.#fail('a comma or the end')
  }

  #fail(what: string): never {
    const at = `${this.#position} of ${JSON.stringify(this.#text)}`
    throw new SyntaxError(`Expected ${what} at character ${at}`)
  }
}
