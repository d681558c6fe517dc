import { check, wrongOption } from '../config/option-check.ts'
import type { IssuerOptions } from './issuer-options.ts'

/** What is known of a provider. */
interface Preset {
  /** Options, as a user would write them. */
  readonly fills: Partial<IssuerOptions>
  /** What its https issuer identifiers look like; stand-ins for it on loopback may look otherwise. */
  readonly issuer?: { readonly form: RegExp; readonly allowed: string }
  /** An audience that all its tokens share, so that it keeps nobody out. */
  readonly sharedAudience?: string
  /** The kind of token it has to be trusted for by name, because it has no other for an API. */
  readonly tokens?: { readonly kind: string; readonly because: string }
}

/** The providers that can be named, and in what they differ from the defaults; docs/providers/ has a page on each. */
const presets = {
  keycloak: {
    fills: {
      claims: { roles: ['realm_access.roles', 'resource_access.{audience}.roles'] },
      requiredClaims: { typ: ['Bearer', 'bearer', 'DPoP'] }
    },
    issuer: { form: /\/realms\/[^/]+$/, allowed: 'https://<host>/realms/<realm>, no final slash' },
    sharedAudience: 'account'
  },
  auth0: {
    fills: {
      claims: { roles: 'permissions' },
      requiredClaims: [{ azp: '*' }, { client_id: '*' }]
    },
    issuer: { form: /\/$/, allowed: 'https://<tenant>.auth0.com/ with its final slash' }
  },
  okta: {
    fills: {
      typ: ['at+jwt', 'JWT', 'absent'],
      claims: { roles: 'groups', client: 'cid' },
      requiredClaims: { cid: '*' }
    },
    issuer: {
      form: /\/oauth2\/[^/]+$/,
      allowed:
        'https://<domain>/oauth2/<authorization server>: only Okta itself can judge tokens of the org authorization server'
    }
  },
  entra: {
    fills: {
      claims: { roles: 'roles', client: ['azp', 'appid'], tokenId: 'uti' },
      requiredClaims: [{ azp: '*' }, { appid: '*' }],
      userinfo: 'claims'
    },
    issuer: {
      form: /\/([\da-f]{8}-([\da-f]{4}-){3}[\da-f]{12}|\{tenantid\})\/(v2\.0\/?)?$/i,
      allowed:
        'https://login.microsoftonline.com/<tenant id>/v2.0 or https://sts.windows.net/<tenant id>/, as the tokens say it'
    }
  },
  cognito: {
    fills: {
      typ: ['at+jwt', 'JWT', 'absent'],
      audienceClaim: 'client_id',
      claims: { roles: 'cognito:groups' },
      requiredClaims: { token_use: 'access' }
    },
    issuer: {
      form: /[^/]\/[\w-]+$/,
      allowed: 'https://cognito-idp.<region>.amazonaws.com/<user pool id>'
    }
  },
  google: {
    fills: { userinfo: 'claims' },
    tokens: {
      kind: 'id',
      because: "Google's access tokens are opaque, and only Google can judge them"
    }
  },
  zitadel: {
    fills: {
      claims: { roles: 'urn:zitadel:iam:org:project:{audience}:roles.*' },
      requiredClaims: { jti: '*' }
    },
    issuer: { form: /[^/]$/, allowed: 'https://<instance> without a final slash' }
  },
  authentik: {
    fills: {
      claims: { roles: 'groups', tokenId: 'uid' },
      requiredClaims: { azp: '*', uid: '*' },
      idTokenMarks: []
    },
    issuer: {
      form: /\/$/,
      allowed: 'https://<host>/application/o/<application>/ with its final slash'
    }
  },
  logto: {
    fills: { typ: ['at+jwt'], userinfo: 'claims' },
    issuer: { form: /\/oidc$/, allowed: 'https://<tenant>.logto.app/oidc' }
  }
} as const satisfies Record<string, Preset>

/** A provider whose habits are known. */
export type PresetName = keyof typeof presets

/** The providers that `preset` can name. */
export const presetNames = Object.keys(presets) as PresetName[]

/**
 * The options of an issuer with what its preset fills in; what the options say themselves wins, of `claims` member by
 * member. Without a preset they are returned as they are.
 * @throws {TypeError} for an unknown preset, and for options that can not be right for that provider
 */
export function withPreset(options: IssuerOptions): IssuerOptions {
  const { preset: name, claims } = options
  if (name === undefined) return options
  const isKnown = presetNames.includes(name)
  check(isKnown, `preset of ${options.issuer}`, name, presetNames.join(', '))
  const preset: Preset = presets[name]
  refuseContradictions(preset, options)
  const { fills } = preset
  return {
    ...fills,
    ...said(options),
    ...((claims ?? fills.claims) && { claims: { ...fills.claims, ...said(claims ?? {}) } })
  }
}

/** What is undefined was not said. */
function said<Options extends object>(options: Options): Options {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as unknown as Options
}

function refuseContradictions(
  { issuer: known, sharedAudience, tokens: needed }: Preset,
  { issuer, audience, preset, tokens = [] }: IssuerOptions
): void {
  const beside = `with preset ${preset}`
  const isReal = typeof issuer === 'string' && issuer.startsWith('https://')
  if (isReal && known !== undefined)
    check(known.form.test(issuer), 'issuer', issuer, `${beside}: ${known.allowed}`)
  if (isReal && sharedAudience !== undefined && [audience].flat().includes(sharedAudience))
    throw wrongOption(
      `audience of ${issuer}`,
      JSON.stringify(sharedAudience),
      `${beside}: what names this API alone, since all its tokens may name "${sharedAudience}"`
    )
  const kinds: readonly string[] = tokens
  if (needed !== undefined && !kinds.includes(needed.kind))
    throw wrongOption(
      `tokens of ${issuer}`,
      kinds.length === 0 ? 'nothing' : JSON.stringify(kinds),
      `${beside}: ["${needed.kind}"], since ${needed.because}`
    )
}
