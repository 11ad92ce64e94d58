import { describe, expect, it } from 'vitest'
import { formOf, recorded, type ScriptedAnswer, scriptedWeb } from '../../aws/scripted-web.ts'
import { errorOf, everythingSaid } from '../sandbox.ts'
import { openPlaces, startTime, writeTemporary } from './places.ts'

const registry = 'example.azurecr.io'
const application = { AZURE_CLIENT_ID: 'CLIENT-ID', AZURE_TENANT_ID: 'TENANT-ID' }
const secret = { ...application, AZURE_CLIENT_SECRET: 'CLIENT-SECRET' }
const entra = { body: recorded('entra-token.json') }
const exchange = { body: recorded('acr-exchange.json') }
const refreshToken: string = JSON.parse(recorded('acr-exchange.json')).refresh_token
const formHeaders = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }

describe("a token for Azure's registries", () => {
  it("is had for a client's secret: at Entra, and then at the registry", async () => {
    const web = scriptedWeb(entra, exchange)
    expect(await openPlaces(secret, web.ask).find(registry)).toEqual({
      credential: { kind: 'identity-token', token: refreshToken },
      origin: 'AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET',
    })
    expect(web.lines).toEqual([
      'POST https://login.microsoftonline.com/TENANT-ID/oauth2/v2.0/token',
      'POST https://example.azurecr.io/oauth2/exchange',
    ])
    expect(web.requests.map(({ headers }) => headers)).toEqual([formHeaders, formHeaders])
    expect(web.requests.map(formOf)).toEqual([
      {
        grant_type: 'client_credentials',
        client_id: 'CLIENT-ID',
        scope: 'https://containerregistry.azure.net/.default',
        client_secret: 'CLIENT-SECRET',
      },
      {
        grant_type: 'access_token',
        service: 'example.azurecr.io',
        tenant: 'TENANT-ID',
        access_token: 'ENTRA-ACCESS-TOKEN',
      },
    ])
  })

  it('is had for the token of a workload identity, rather than for a secret', async () => {
    const web = scriptedWeb(entra, exchange)
    const env = { ...secret, AZURE_FEDERATED_TOKEN_FILE: await writeTemporary('FEDERATED-TOKEN\n') }
    expect(await openPlaces(env, web.ask).find(registry)).toMatchObject({
      origin: 'AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE',
    })
    expect(formOf(web.requests[0])).toEqual({
      grant_type: 'client_credentials',
      client_id: 'CLIENT-ID',
      scope: 'https://containerregistry.azure.net/.default',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: 'FEDERATED-TOKEN',
    })
  })

  it('is asked for at the authority of the registry’s cloud', async () => {
    const web = scriptedWeb(entra, exchange)
    const env = {
      ...secret,
      AZURE_TENANT_ID: '../x',
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us/',
    }
    await openPlaces(env, web.ask).find('example.azurecr.us')
    expect(web.lines[0]).toBe('POST https://login.microsoftonline.us/..%2Fx/oauth2/v2.0/token')
  })

  it('is remembered until the time that stands in it', async () => {
    const clock = { time: startTime }
    const web = scriptedWeb(entra, exchange, entra, exchange)
    const places = openPlaces(secret, web.ask, clock)
    await places.find(registry)
    clock.time = Date.UTC(2026, 0, 1, 2, 58)
    await places.find(registry)
    expect(web.requests).toHaveLength(2)
    clock.time = Date.UTC(2026, 0, 1, 3)
    await places.find(registry)
    expect(web.requests).toHaveLength(4)
  })

  it('is each registry’s own', async () => {
    const other = { body: '{"refresh_token":"opaque"}' }
    const places = openPlaces(secret, scriptedWeb(entra, exchange, entra, other).ask)
    expect(await places.find(registry)).toMatchObject({ credential: { token: refreshToken } })
    expect(await places.find('other.azurecr.io')).toMatchObject({ credential: { token: 'opaque' } })
    expect(await places.find('other.azurecr.io')).toMatchObject({ credential: { token: 'opaque' } })
  })

  it('is not had where nothing may be asked', async () => {
    expect(await openPlaces(secret).find(registry)).toBeUndefined()
  })

  it.each<[string, ScriptedAnswer[], string, string]>([
    [
      'Entra refuses',
      [{ status: 401, body: recorded('entra-wrong-secret.json') }],
      'UNAUTHORIZED',
      'login.microsoftonline.com refused: invalid_client: "AADSTS7000215: Invalid client secret provided.',
    ],
    [
      'the registry refuses',
      [entra, { status: 401, body: recorded('acr-refused.json') }],
      'UNAUTHORIZED',
      'example.azurecr.io refused: UNAUTHORIZED: "authentication required, visit https://aka.ms/acr/authorization',
    ],
    [
      'Entra repeats what it was sent',
      [{ status: 400, body: '{"error":"invalid_request","error_description":"CLIENT-SECRET is no good"}' }],
      'REGISTRY',
      'refused: invalid_request: "*** is no good"',
    ],
    [
      'the registry answers without a token',
      [entra, { body: '{"refresh_token":""}' }],
      'INTEGRITY',
      'the answer of example.azurecr.io is not of the expected form, at "refresh_token"',
    ],
  ])('that %s is an error without a secret', async (_what, answers, code, message) => {
    const error = await errorOf(openPlaces(secret, scriptedWeb(...answers).ask).find(registry))
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
    expect(everythingSaid(error)).toContain(
      'no login for example.azurecr.io from AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET: ',
    )
    expect(everythingSaid(error)).not.toMatch(/CLIENT-SECRET|ENTRA-ACCESS-TOKEN/)
  })
})
