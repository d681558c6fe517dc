/** A setting that stops the start. The message is one line and never holds a secret. */
export class ConfigError extends Error {
  /** The name of the setting as its author wrote it: a variable, or a member of the file. */
  readonly setting: string
  readonly found: string
  readonly allowed: string

  constructor(setting: string, found: string, allowed: string) {
    super(`${setting}: found ${found}, allowed: ${allowed}`)
    this.name = 'ConfigError'
    this.setting = setting
    this.found = found
    this.allowed = allowed
  }
}
