// An OpenID Connect provider for the browser tests: the certified one of the package, as it is,
// with one client and two groups. Its address, and the service's, are arguments.

import Provider from "oidc-provider";

const [port, service, secret] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "avsession",
      client_secret: secret,
      redirect_uris: [`${service}/signin`],
      post_logout_redirect_uris: [`${service}/signin`],
      backchannel_logout_uri: `${service}/signin/ended`,
      backchannel_logout_session_required: true,
    },
  ],
  claims: { openid: ["sub"], profile: ["name", "groups"] },
  // the role is read from the ID token
  conformIdTokenClaims: false,
  features: { backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: "Ada Lovelace", groups: id === "nobody" ? [] : ["supervisors"] }),
  }),
  cookies: { keys: ["for these tests only"] },
});
provider.on("server_error", (_, error) => console.error("server_error", error));
provider.on("backchannel.error", (_, error) => console.error("backchannel.error", error));
provider.listen(Number(port), "localhost", () => console.log("listening"));
