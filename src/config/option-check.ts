/**
 * Stops the start for a wrong option, with one line.
 * @param found shown as JSON: never a secret
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function check(
  condition: boolean,
  name: string,
  found: unknown,
  allowed: string
): asserts condition {
  if (!condition) throw wrongValue(name, found, allowed)
}

/** Whether a value is a text that says something. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

/** The error that {@link check} throws. */
export function wrongValue(name: string, found: unknown, allowed: string): TypeError {
  return wrongOption(name, JSON.stringify(found) ?? 'nothing', allowed)
}

/** The error for a wrong option; `found` says in words what {@link check} shows as JSON. */
export function wrongOption(
  name: string,
  found: string,
  allowed: string,
  options?: ErrorOptions
): TypeError {
  return new TypeError(`${name}: found ${found}, allowed: ${allowed}`, options)
}
