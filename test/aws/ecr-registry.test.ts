import { describe, expect, it } from 'vitest'
import { ecrCall } from '../../src/aws/ecr-call.ts'
import { parseEcrRegistry } from '../../src/aws/ecr-registry.ts'
import { scriptedWeb } from './scripted-web.ts'

const account = '123456789012'

describe('a registry of Amazon ECR', () => {
  it.each([
    [
      `${account}.dkr.ecr.eu-central-1.amazonaws.com`,
      'api.ecr.eu-central-1.amazonaws.com',
      'sts.eu-central-1.amazonaws.com',
      'aws',
    ],
    [
      `${account}.dkr.ecr-fips.us-east-1.amazonaws.com`,
      'ecr-fips.us-east-1.amazonaws.com',
      'sts-fips.us-east-1.amazonaws.com',
      'aws',
    ],
    [
      `${account}.dkr.ecr-fips.us-gov-west-1.amazonaws.com`,
      'ecr-fips.us-gov-west-1.amazonaws.com',
      'sts.us-gov-west-1.amazonaws.com',
      'aws-us-gov',
    ],
    [
      `${account}.dkr.ecr.cn-north-1.amazonaws.com.cn`,
      'api.ecr.cn-north-1.amazonaws.com.cn',
      'sts.cn-north-1.amazonaws.com.cn',
      'aws-cn',
    ],
    [
      `${account}.dkr.ecr.eusc-de-east-1.amazonaws.eu`,
      'api.ecr.eusc-de-east-1.amazonaws.eu',
      'sts.eusc-de-east-1.amazonaws.eu',
      'aws-eusc',
    ],
    [`${account}.dkr-ecr.us-west-2.on.aws`, 'ecr.us-west-2.api.aws', 'sts.us-west-2.api.aws', 'aws'],
    [
      `${account}.dkr-ecr-fips.us-west-2.on.aws`,
      'ecr-fips.us-west-2.api.aws',
      'sts-fips.us-west-2.api.aws',
      'aws',
    ],
    [
      `${account}.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn`,
      'ecr.cn-north-1.api.amazonwebservices.com.cn',
      'sts.cn-north-1.api.amazonwebservices.com.cn',
      'aws-cn',
    ],
    ['public.ecr.aws', 'api.ecr-public.us-east-1.amazonaws.com', 'sts.us-east-1.amazonaws.com', 'aws'],
    ['ecr-public.aws.com', 'ecr-public.us-east-1.api.aws', 'sts.us-east-1.api.aws', 'aws'],
  ])('%s has its API at %s', (registry, apiHost, stsHost, partition) => {
    expect(parseEcrRegistry(registry)).toMatchObject({ apiHost, stsHost, partition })
    expect(parseEcrRegistry(registry.toUpperCase())?.apiHost).toBe(apiHost)
  })

  it('tells its account, region and service', () => {
    expect(parseEcrRegistry(`${account}.dkr.ecr.ap-southeast-2.amazonaws.com`)).toMatchObject({
      service: 'ecr',
      account,
      region: 'ap-southeast-2',
    })
    expect(parseEcrRegistry('public.ecr.aws')).toMatchObject({ service: 'ecr-public', region: 'us-east-1' })
  })

  it.each([
    `${account}.dkr.ecr.us-east-1.amazonaws.com.evil.example`,
    `${account}.dkr.ecr.us-east-1.amazonaws.com.cn.evil.example`,
    `${account}.dkr.ecr.us-east-1.evil.example`,
    `evil.example.${account}.dkr.ecr.us-east-1.amazonaws.com`,
    `x${account}.dkr.ecr.us-east-1.amazonaws.com`,
    `x.dkr.ecr.us-east-1.amazonaws.com`,
    `${account}.dkr.ecr.us-east-1.amazonaws.com:8443`,
    `${account}.dkr.ecr.us-east-1.on.aws`,
    `${account}.dkr-ecr.us-east-1.amazonaws.com`,
    `${account}.dkr.ecr.evil.amazonaws.com`,
    `${account}.dkr.ecr.us-east-1.x.amazonaws.com`,
    `${account}.dkr.ecr.us-east-1.amazonaws.com\n`,
    `${account}.dkr.ecr.us-east-1.constructor`,
    'api.ecr.us-east-1.amazonaws.com',
    'xpublic.ecr.aws',
    'public.ecr.aws.evil.example',
    'ecr.aws',
    'constructor',
    '',
  ])('is not %s', registry => expect(parseEcrRegistry(registry)).toBeUndefined())

  it.each([
    [`${account}.dkr.ecr.eu-central-1.amazonaws.com`, 'AmazonEC2ContainerRegistry_V20150921', 'ecr'],
    ['public.ecr.aws', 'SpencerFrontendService', 'ecr-public'],
  ])('%s is called by the actions of %s', async (name, service, signedFor) => {
    const web = scriptedWeb({ body: '{"failures":[]}' })
    const registry = parseEcrRegistry(name)
    if (registry === undefined) throw new Error('not a registry')
    const credentials = { accessKeyId: 'AKID', secretAccessKey: 'SECRET' }
    const payload = { repositoryName: 'app', imageIds: [{ imageTag: '1.0' }] }
    const answer = await ecrCall(web.ask, { registry, action: 'BatchDeleteImage', payload, credentials })
    expect(answer).toEqual({ failures: [] })
    expect(web.lines).toEqual([`POST https://${registry.apiHost}/`])
    expect(web.requests[0]).toMatchObject({
      body: JSON.stringify(payload),
      headers: {
        'x-amz-target': `${service}.BatchDeleteImage`,
        authorization: expect.stringContaining(`/${registry.region}/${signedFor}/aws4_request`),
      },
    })
  })
})
