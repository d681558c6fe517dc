import t from 'tap'
import {
  fitsTemplate,
  isIssuerTemplate,
  isTenantId,
  maySignFor
} from '../../../src/issuer/issuer-template.ts'

const tenant = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'
const other = '9188040d-6c67-4c5b-b112-36a304b66dad'
const template = 'https://login.microsoftonline.com/{tenantid}/v2.0'
const v1 = 'https://sts.windows.net/{tenantid}/'

for (const [issuer, expected] of Object.entries({
  [template]: true,
  [v1]: true,
  'https://id.example.com/{tenantid}': true,
  'http://127.0.0.1:9/a/{tenantid}/b': true,
  'https://id.example.com/{tenant}/v2.0': false,
  'https://id.example.com/x{tenantid}/v2.0': false,
  'https://id.example.com/{tenantid}x/v2.0': false,
  'https://{tenantid}.example.com/v2.0': false,
  'https://{tenantid}/v2.0': false,
  'https://id.example.com/{tenantid}/{tenantid}': false,
  'https://id.example.com/v2.0': false
}))
  t.test(`${issuer} is ${expected ? 'a' : 'no'} template`, async (t) =>
    t.equal(isIssuerTemplate(issuer), expected)
  )

for (const [name, iss, expected] of [
  ['a tenant', `https://login.microsoftonline.com/${tenant}/v2.0`, true],
  ['upper case', `https://login.microsoftonline.com/${tenant.toUpperCase()}/v2.0`, false],
  ['no GUID', 'https://login.microsoftonline.com/common/v2.0', false],
  ['the template itself', template, false],
  ['two segments', `https://login.microsoftonline.com/x/${tenant}/v2.0`, false],
  ['a longer segment', `https://login.microsoftonline.com/${tenant}0/v2.0`, false],
  ['another end', `https://login.microsoftonline.com/${tenant}/v2.0/`, false],
  ['another host', `https://login.microsoftonline.us/${tenant}/v2.0`, false],
  ['another version', `https://sts.windows.net/${tenant}/`, false]
] as const)
  t.test(`META-11: a template ${expected ? 'fits' : 'does not fit'} ${name}`, async (t) =>
    t.equal(fitsTemplate(template, iss), expected)
  )

t.test('the id of a tenant is a GUID in lower case, and nothing around it', async (t) => {
  t.ok(isTenantId(tenant))
  for (const text of [tenant.toUpperCase(), `${tenant} `, 'common', '', 7])
    t.notOk(isTenantId(text), String(text))
})

const iss = `https://login.microsoftonline.com/${tenant}/v2.0`
for (const [name, keyIssuer, expected] of [
  ['that names nobody', undefined, true],
  ['of the tenant', iss, true],
  ['of all tenants', template, true],
  ['of another tenant', `https://login.microsoftonline.com/${other}/v2.0`, false],
  ['of the tenants of another version', v1, false],
  ['of another host', 'https://id.example.com', false],
  ['whose issuer is that of a certificate', 'CN=id.example.com', true]
] as const)
  t.test(`BCP-3: a key ${name} ${expected ? 'may' : 'may not'} sign`, async (t) =>
    t.equal(maySignFor(iss, keyIssuer), expected)
  )
