import type { Credential } from '../../../src/credential.ts'
import { type FakeAnswer, json } from '../../support/fake-send.ts'
import { sampleImage } from '../../support/sample-image.ts'

/** The image of `reg.example/app:v1`. */
export const { manifest } = sampleImage('one')
/** The headers that come with it. */
export const foundHeaders = {
  'docker-content-digest': manifest.digest,
  'content-type': manifest.mediaType,
  'content-length': String(manifest.bytes.length),
}
/** What HEAD of it is answered with. */
export const found: FakeAnswer = { headers: foundHeaders }
/** Looks for it. */
export const head = 'HEAD https://reg.example/v2/app/manifests/v1'

/** The challenge of a token service at another origin. */
export const bearer = 'Bearer realm="https://auth.example/t",service="s"'
/** The question for a token to pull. */
export const desk = 'GET https://auth.example/t?service=s&scope=repository%3Aapp%3Apull'

/** A user. */
export const anna: Credential = { kind: 'basic', username: 'anna', password: 'secret' }
/** How a user proves who it is. */
export const basicOf = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
/** How she does. */
export const annasBasic = basicOf('anna', 'secret')

/** A 403 in these words. */
export const denied = (message: string): FakeAnswer => json({ errors: [{ code: 'DENIED', message }] }, 403)
