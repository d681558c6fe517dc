import { Type } from 'typebox'
import { decryptionAlgorithms } from '../issuer/decryption.ts'
import { isIdentifierUrl } from '../issuer/identifier-url.ts'
import { presetNames } from '../issuer/presets.ts'
import { audienceClaims } from '../issuer/token-marks.ts'
import { profileNames } from '../issuer/profile.ts'
import type { StaticKeySet } from '../issuer/static-keys.ts'
import { isResource } from '../issuer/token-exchange-options.ts'
import { userInfoModes } from '../issuer/userinfo-modes.ts'
import { defaultRateLimit, parseRateLimits, rateLimitForm } from '../limits/rate-limits.ts'
import { supportedAlgorithms } from '../token/algorithms.ts'
import {
  isAddressBlock,
  isBaseUrl,
  isDatabaseUrl,
  isDataDirectory,
  isOrigin,
  isHost,
  isRedisUrl
} from './rules.ts'
import { isClaimPath } from '../token/roles.ts'
import { idTokenMarks } from '../token/token-type.ts'

// The description of a setting is what its error message calls "allowed".

const audience = text('a name without white space', (value) => /^\S+$/.test(value))

const claim = text('a claim such as realm_access.roles', isClaimPath)

const claims = Type.Optional(
  Type.Union([claim, Type.Array(claim, { minItems: 1 })], {
    description: 'one or more claims such as realm_access.roles'
  })
)

const claimValue = Type.Union([Type.String(), Type.Number(), Type.Boolean()])

const ClaimValues = Type.Record(
  Type.String(),
  Type.Union([claimValue, Type.Array(claimValue, { minItems: 1 })])
)

const algorithms = Type.Optional(
  Type.Array(oneOf([...supportedAlgorithms]), {
    minItems: 1,
    description: 'a list of signature algorithms'
  })
)

/** As which client this API asks an issuer; what contradicts what is judged by the plugin. */
const clientSettings = {
  clientId: text('the client id of this API', (value) => value !== ''),
  clientSecret: Type.Optional(text('the secret of the client', (value) => value !== '')),
  clientSecretFile: Type.Optional(text('the path of a file', (value) => value !== '')),
  privateKeyFile: Type.Optional(text('the path of a file', (value) => value !== '')),
  authMethod: Type.Optional(oneOf(['client_secret_basic', 'client_secret_post', 'private_key_jwt']))
}

const IntrospectionSettings = Type.Object(
  {
    ...clientSettings,
    endpoint: Type.Optional(text('an https URL (http on loopback hosts only)', isIdentifierUrl)),
    cacheSeconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 3600, description: 'seconds, from 0 to 3600' })
    ),
    signedAnswers: Type.Optional(Type.Boolean({ description: 'true or false' }))
  },
  { additionalProperties: false, description: 'an object with clientId and its credentials' }
)

const TokenExchangeSettings = Type.Object(
  {
    ...clientSettings,
    audience: Type.Optional(text('a name that is not empty', (value) => value !== '')),
    resource: Type.Optional(text('a URL without fragment', isResource))
  },
  { additionalProperties: false, description: 'an object with clientId and its credentials' }
)

/** The private key for what the issuer encrypts; whether it fits is judged by the plugin. */
const DecryptionSettings = Type.Object(
  {
    privateKeyFile: text('the path of a file', (value) => value !== ''),
    algorithms: Type.Optional(
      Type.Array(oneOf([...decryptionAlgorithms]), {
        minItems: 1,
        description: 'a list of key management algorithms'
      })
    )
  },
  { additionalProperties: false, description: 'an object with privateKeyFile' }
)

const texts = (allowed: string) => {
  const entry = text(allowed, (value) => value !== '')
  return Type.Union([entry, Type.Array(entry, { minItems: 1 })], { description: allowed })
}

/** Whose logout tokens of an issuer count. */
const LogoutSettings = Type.Object(
  { clientId: texts('the client, or the clients, of the logout tokens') },
  { additionalProperties: false, description: 'an object with clientId' }
)

/** The stream of security events of an issuer; what contradicts what is judged by the plugin. */
const EventSettings = Type.Object(
  {
    audience: texts('the audience, or the audiences, of the stream'),
    issuer: Type.Optional(text('the iss of the events', (value) => value !== '')),
    jwksUri: Type.Optional(text('an https URL (http on loopback hosts only)', isIdentifierUrl)),
    criticalSubjectMembers: Type.Optional(
      Type.Array(Type.String(), { description: 'a list of names such as tenant' })
    )
  },
  { additionalProperties: false, description: 'an object with audience' }
)

/** What is trusted of one issuer. The plugin's options have the same names. */
const IssuerSettings = Type.Object(
  {
    issuer: text(
      'an https URL (http on loopback hosts only) without query or fragment',
      isIdentifierUrl
    ),
    audience: Type.Union([audience, Type.Array(audience, { minItems: 1 })], {
      description: 'the audience, or the audiences, that this API answers to, without white space'
    }),
    algorithms,
    typ: Type.Optional(
      Type.Array(
        text('a media type such as at+jwt, or absent', (value) => /^\S+$/.test(value)),
        { minItems: 1, description: 'a list of token types such as at+jwt' }
      )
    ),
    tokens: Type.Optional(
      Type.Array(oneOf(['jwt', 'opaque', 'id']), {
        minItems: 1,
        description: 'a list of jwt, opaque, id'
      })
    ),
    introspection: Type.Optional(IntrospectionSettings),
    idTokens: Type.Optional(
      Type.Object(
        { clientId: texts('one or more client ids') },
        { additionalProperties: false, description: 'an object with clientId' }
      )
    ),
    jwks: Type.Optional(
      Type.Unsafe<StaticKeySet>(Type.Object({}, { description: 'an object with keys' }))
    ),
    jwksFile: Type.Optional(text('the path of a file', (value) => value !== '')),
    backchannelLogout: Type.Optional(LogoutSettings),
    securityEvents: Type.Optional(EventSettings),
    dpop: Type.Optional(oneOf(['off', 'optional', 'required'])),
    mtls: Type.Optional(oneOf(['off', 'optional', 'required'])),
    statusList: Type.Optional(oneOf(['off', 'optional', 'required'])),
    userinfo: Type.Optional(oneOf(userInfoModes)),
    tokenExchange: Type.Optional(TokenExchangeSettings),
    decryption: Type.Optional(DecryptionSettings),
    profile: Type.Optional(oneOf([...profileNames])),
    encryptedTokens: Type.Optional(oneOf(['off', 'optional', 'required'])),
    tenants: Type.Optional(
      Type.Union([Type.Literal('any'), Type.Array(Type.String(), { minItems: 1 })], {
        description: 'a list of tenant ids, or "any"'
      })
    ),
    required: Type.Optional(Type.Boolean({ description: 'true or false' })),
    claims: Type.Optional(
      Type.Object(
        { roles: claims, scopes: claims, client: claims, tokenId: claims },
        { additionalProperties: false, description: 'an object that says which claims have roles' }
      )
    ),
    preset: Type.Optional(oneOf(presetNames)),
    audienceClaim: Type.Optional(oneOf([...audienceClaims])),
    requiredClaims: Type.Optional(
      Type.Union([ClaimValues, Type.Array(ClaimValues, { minItems: 1 })], {
        description:
          'claims with their values, such as { "token_use": "access" }, or a list of such objects'
      })
    ),
    idTokenMarks: Type.Optional(
      Type.Array(oneOf([...idTokenMarks]), { description: `a list of ${idTokenMarks.join(', ')}` })
    ),
    otherAudiences: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'a list of audiences, or an empty one'
      })
    ),
    maxTokenAge: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 157_680_000,
        description: 'seconds, from 1 to 157680000'
      })
    ),
    clockTolerance: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 300, description: 'seconds, from 0 to 300' })
    )
  },
  { additionalProperties: false, description: 'an object with issuer and audience' }
)

/** How DPoP proofs are judged; what contradicts what is judged by the plugin. */
const ProofSettings = Type.Object(
  {
    nonces: Type.Optional(Type.Boolean({ description: 'true or false' })),
    nonceSecret: Type.Optional(
      text('a secret of 32 characters or more', (value) => value.length >= 32)
    ),
    nonceSecretFile: Type.Optional(text('the path of a file', (value) => value !== '')),
    algorithms
  },
  { additionalProperties: false, description: 'an object that says what proofs must be like' }
)

/** Every setting of the service, as the JSON file may hold it; variables have the same members. */
export const Config = Type.Object(
  {
    host: text('a host name or an IP address', isHost, '127.0.0.1'),
    port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 3000,
      description: 'an integer from 0 (any free port) to 65535'
    }),
    logLevel: oneOf(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], 'info'),
    publicUrl: Type.Optional(
      text(
        'an https URL (http on loopback hosts only) without query, fragment or final slash',
        isBaseUrl
      )
    ),
    dpopProofs: Type.Optional(ProofSettings),
    clientCertFrom: list('IP addresses and CIDR blocks of proxies', isAddressBlock),
    redisUrl: Type.Optional(text('a redis:// or rediss:// URL', isRedisUrl)),
    issuers: Type.Array(IssuerSettings, { default: [], description: 'a list of issuers' }),
    databaseUrl: Type.Optional(text('a postgres:// URL, or memory://', isDatabaseUrl)),
    dataDir: text('a directory, or memory://', isDataDirectory, './data'),
    trustProxy: list('IP addresses and CIDR blocks of proxies', isAddressBlock),
    corsOrigins: list('exact origins such as https://app.example.com', isOrigin),
    maxTokenLifetime: Type.Optional(
      Type.Integer({
        minimum: 60,
        maximum: 157_680_000,
        description: 'seconds that a token lives at most, from 60 to 157680000'
      })
    ),
    adminIssuers: Type.Optional(
      Type.Array(
        text('the issuer of one of the issuers', (value) => value !== ''),
        {
          minItems: 1,
          description: 'a list of issuers'
        }
      )
    ),
    scopeImplies: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.String()), {
        description: 'an object of scopes, each with the list of those that it implies'
      })
    ),
    metrics: oneOf(['off', 'public'], 'public'),
    rateLimit: text(
      rateLimitForm,
      (value) => parseRateLimits(value) !== undefined,
      defaultRateLimit
    )
  },
  { additionalProperties: false, description: 'a JSON object with settings' }
)

/** The service's settings, complete and valid. `issuers` is empty when the development issuer is meant. */
export type Config = Type.Static<typeof Config>

function text(allowed: string, check: (value: string) => boolean, fallback?: string) {
  const options = fallback === undefined ? {} : { default: fallback }
  return Type.Refine(Type.String({ description: allowed, ...options }), check, () => allowed)
}

function oneOf<const Value extends string>(values: Value[], fallback?: Value) {
  const options = fallback === undefined ? {} : { default: fallback }
  return Type.Enum(values, { description: values.join(', '), ...options })
}

function list(allowed: string, check: (value: string) => boolean) {
  return Type.Array(text(allowed, check), { default: [], description: `a list of ${allowed}` })
}
