/** A verifier of one's own, in Node, Python and Go: keys by discovery, one algorithm, then project and ref. */
import type { GeneratedTrust, TrustOptions } from "../protocol/trust.ts";
import { jsonText, profileArtifact, sharedNotes } from "./artifacts.ts";
import type { TrustedProject, TrustedScope } from "./subject.ts";

export function generateVerifier(
  project: TrustedProject,
  scopes: readonly TrustedScope[],
  options: TrustOptions,
): GeneratedTrust {
  const audience = options.audience ?? "my-service";
  const trusted = {
    issuer: project.issuer,
    audience,
    prj_id: project.project.id,
    refs: scopes.map(({ type, ref, exact }) => ({ ref_type: type, [exact ? "ref" : "prefix"]: ref })),
  };
  const policy = jsonText(trusted);
  return {
    cloud: "verifier",
    audience,
    subject_form: "semaphore",
    policy,
    artifacts: [
      { name: "trusted.json", title: "What is trusted", language: "json", text: policy },
      { name: "verify.mjs", title: "Node, with jose", language: "js", text: node },
      { name: "verify.py", title: "Python, with PyJWT and its crypto extra", language: "py", text: python },
      { name: "verify.go", title: "Go, with go-oidc", language: "go", text: go },
      profileArtifact(project, scopes, { name: "service", audience, form: "semaphore" }),
    ],
    notes: [
      ...sharedNotes(scopes),
      "A verifier that looks at signature and time alone cannot know that the job has ended: ask POST /api/v1/identity/introspect where that matters.",
    ],
  };
}

const node = `import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";

const trusted = JSON.parse(readFileSync("trusted.json", "utf8"));
const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", trusted.issuer));

/** The claims of a token that is trusted; throws for any other. */
export async function verify(token) {
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ["RS256"],
    issuer: trusted.issuer,
    audience: trusted.audience,
    requiredClaims: ["exp", "sub", "jti"],
  });
  const fits = ({ ref_type, ref, prefix }) =>
    payload.ref_type === ref_type && (ref === undefined ? payload.ref.startsWith(prefix) : payload.ref === ref);
  const isTrusted = payload.prj_id === trusted.prj_id && payload.fork === "false" && trusted.refs.some(fits);
  if (!isTrusted) throw new Error("a token of another project or ref");
  return payload;
}
`;

const python = `import json

import jwt

with open("trusted.json", encoding="utf-8") as file:
    TRUSTED = json.load(file)
KEYS = jwt.PyJWKClient(TRUSTED["issuer"] + "/.well-known/jwks.json")


def verify(token):
    """The claims of a token that is trusted; raises for any other."""
    claims = jwt.decode(
        token,
        KEYS.get_signing_key_from_jwt(token).key,
        algorithms=["RS256"],
        issuer=TRUSTED["issuer"],
        audience=TRUSTED["audience"],
        options={"require": ["exp", "iat", "sub", "jti"]},
    )
    fits = any(
        claims["ref_type"] == each["ref_type"]
        and (claims["ref"] == each["ref"] if "ref" in each else claims["ref"].startswith(each["prefix"]))
        for each in TRUSTED["refs"]
    )
    if claims["prj_id"] != TRUSTED["prj_id"] or claims["fork"] != "false" or not fits:
        raise PermissionError("a token of another project or ref")
    return claims
`;

const go = `package verify

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

//go:embed trusted.json
var trustedJSON []byte

type claims struct {
	ProjectID string \`json:"prj_id"\`
	Fork      string \`json:"fork"\`
	RefType   string \`json:"ref_type"\`
	Ref       string \`json:"ref"\`
}

// Verifier holds the issuer's keys: make one, and keep it.
type Verifier struct {
	tokens  *oidc.IDTokenVerifier
	trusted struct {
		Issuer    string \`json:"issuer"\`
		Audience  string \`json:"audience"\`
		ProjectID string \`json:"prj_id"\`
		Refs      []struct {
			RefType string \`json:"ref_type"\`
			Ref     string \`json:"ref"\`
			Prefix  string \`json:"prefix"\`
		} \`json:"refs"\`
	}
}

func New(ctx context.Context) (*Verifier, error) {
	verifier := &Verifier{}
	if err := json.Unmarshal(trustedJSON, &verifier.trusted); err != nil {
		return nil, err
	}
	provider, err := oidc.NewProvider(ctx, verifier.trusted.Issuer)
	if err != nil {
		return nil, err
	}
	verifier.tokens = provider.Verifier(&oidc.Config{
		ClientID:             verifier.trusted.Audience,
		SupportedSigningAlgs: []string{oidc.RS256},
	})
	return verifier, nil
}

// Verify returns the subject of a token that is trusted, and an error for any other.
func (verifier *Verifier) Verify(ctx context.Context, raw string) (string, error) {
	token, err := verifier.tokens.Verify(ctx, raw)
	if err != nil {
		return "", err
	}
	var given claims
	if err := token.Claims(&given); err != nil {
		return "", err
	}
	if given.ProjectID == verifier.trusted.ProjectID && given.Fork == "false" && verifier.fits(given) {
		return token.Subject, nil
	}
	return "", errors.New("a token of another project or ref")
}

func (verifier *Verifier) fits(given claims) bool {
	for _, each := range verifier.trusted.Refs {
		isRef := each.Ref != "" && given.Ref == each.Ref
		isUnder := each.Prefix != "" && strings.HasPrefix(given.Ref, each.Prefix)
		if given.RefType == each.RefType && (isRef || isUnder) {
			return true
		}
	}
	return false
}
`;
