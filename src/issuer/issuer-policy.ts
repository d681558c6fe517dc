import type { IssuerOptions } from './issuer-options.ts'
import { readBindingPolicy } from '../binding/binding-options.ts'
import { type Algorithm, supportedAlgorithms } from '../token/algorithms.ts'
import type { TokenPolicy } from '../token/policy.ts'
import { typeOfOption } from '../token/token-type.ts'
import { isIdentifierUrl } from './identifier-url.ts'
import { check, isListFrom, isListOf, isText } from '../config/option-check.ts'
import { bindingsOf } from './profile.ts'
import { readTokenMarks } from './token-marks.ts'
import { checkUserInfoMode } from './userinfo-modes.ts'

/** Shared by the issuers that say nothing, of which there may be thousands. */
const everyAlgorithm: ReadonlySet<Algorithm> = new Set(supportedAlgorithms)

const fiveYears = 157_680_000

/**
 * Checks what the options of an issuer say of its tokens.
 * @throws {TypeError} that names the option, what was found and what is allowed
 */
export function createPolicy(options: IssuerOptions): TokenPolicy {
  const { issuer, audience, algorithms = supportedAlgorithms, typ = ['at+jwt', 'JWT'] } = options
  const { clockTolerance = 5, maxTokenAge, otherAudiences: others, required = true } = options
  checkIssuer(issuer)
  const audiences = typeof audience === 'string' ? [audience] : audience
  check(isListOf(audiences, isText), 'audience', audiences, 'one or more non-empty strings')
  const areOthers = others === undefined || (Array.isArray(others) && others.every(isText))
  check(areOthers, 'otherAudiences', others, 'a list of non-empty strings, or an empty list')
  check(isListOf(typ, isText), 'typ', typ, 'one or more non-empty strings')
  const isKnown = isListFrom(algorithms, supportedAlgorithms)
  check(isKnown, 'algorithms', algorithms, `one or more of ${supportedAlgorithms.join(', ')}`)
  checkUserInfoMode(options)
  check(typeof required === 'boolean', 'required', required, 'true or false')
  const isTolerance =
    Number.isFinite(clockTolerance) && clockTolerance >= 0 && clockTolerance <= 300
  check(isTolerance, 'clockTolerance', clockTolerance, '0 to 300 seconds')
  const isAge =
    maxTokenAge === undefined ||
    (Number.isInteger(maxTokenAge) && maxTokenAge >= 1 && maxTokenAge <= fiveYears)
  check(isAge, 'maxTokenAge', maxTokenAge, `1 to ${fiveYears} seconds`)
  return {
    issuer,
    audiences: new Set(audiences),
    otherAudiences: others && new Set(others),
    algorithms: algorithms === supportedAlgorithms ? everyAlgorithm : new Set(algorithms),
    types: new Set(typ.map(typeOfOption)),
    ...readTokenMarks(options),
    clockTolerance,
    maxTokenAge,
    isStrict: options.profile !== undefined,
    bindings: bindingsOf(options, readBindingPolicy(options))
  }
}

function checkIssuer(issuer: unknown): asserts issuer is string {
  const allowed = 'an https URL without query and fragment (http on loopback only)'
  check(isText(issuer) && isIdentifierUrl(issuer), 'issuer', issuer, allowed)
}
