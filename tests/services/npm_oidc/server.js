// An authorization server that nobody here wrote, set up as strict vendors are: PKCE S256 or nothing, refresh
// tokens that rotate, and a whole family revoked when one of them comes twice. Any login and password will do.
import * as oidc from 'oidc-provider';

const { port, secret, callbacks } = JSON.parse(process.argv[2]);
const issuer = `http://localhost:${port}`;
const counts = {};
const count = (what) => { counts[what] = (counts[what] ?? 0) + 1; };

const client = {
  // Of a native application any port of the loopback may be called back (RFC 8252 §7.3).
  application_type: 'native',
  redirect_uris: callbacks,
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
};

const provider = new oidc.Provider(issuer, {
  clients: [
    { ...client, client_id: 'basic', client_secret: secret },
    { ...client, client_id: 'post', client_secret: secret, token_endpoint_auth_method: 'client_secret_post' },
    { ...client, client_id: 'public', token_endpoint_auth_method: 'none' },
  ],
  claims: { openid: ['sub'], email: ['email'] },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, email: `${sub}@vendor.test` }) }),
  features: { introspection: { enabled: true }, revocation: { enabled: true } },
  rotateRefreshToken: true,
  ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86400, Interaction: 600, RefreshToken: 86400, Session: 86400 },
  cookies: { keys: [secret] },
});

provider.use(async (ctx, next) => {
  if (ctx.path === '/counts') {
    ctx.body = counts;
    return;
  }
  count(ctx.path);
  await next();
});
provider.on('grant.success', (ctx) => count(ctx.oidc.params.grant_type));
provider.on('grant.error', (_, error) => count(error.error));
provider.on('grant.revoked', () => count('grant.revoked'));
provider.listen(port, 'localhost');
