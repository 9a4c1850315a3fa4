package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Device is who asks.
type Device struct {
	Device     string `json:"device"`
	Tenant     string `json:"tenant"`
	Site       string `json:"site"`
	Generation int    `json:"generation"`
}

type tokenClaims struct {
	Device
	Cnf struct {
		Thumbprint string `json:"x5t#S256"`
	} `json:"cnf"`
}

type assertionClaims struct {
	Device
	Method string `json:"htm"`
	Path   string `json:"path"`
}

// Platform is what the product knows of the server that issues tokens.
type Platform struct {
	issuer, audience string
	gates            []string // Where a gate stands before the product, the names of those gates.
	http             *http.Client
	keys             *keySet
	introspection    string
}

// Refused says why somebody does not pass, in words without secrets: they go into the answer and the log.
type Refused struct {
	status             int
	error, description string
}

func (r *Refused) Error() string { return r.description }

func badToken(description string) error {
	return &Refused{http.StatusUnauthorized, "invalid_token", description}
}

func badAssertion(description string) error {
	return &Refused{http.StatusBadRequest, "invalid_request", description}
}

type deviceKey struct{}

// DeviceOf is the device whose request passed OnlyDevices.
func DeviceOf(r *http.Request) Device {
	device, _ := r.Context().Value(deviceKey{}).(Device)
	return device
}

// OnlyDevices lets a request through that its device may make.
func (p *Platform) OnlyDevices(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by := p.byToken
		if len(p.gates) > 0 {
			by = p.byAssertion
		}
		device, err := by(r)
		if err != nil {
			answer(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), deviceKey{}, device)))
	})
}

func answer(w http.ResponseWriter, r *http.Request, err error) {
	var refused *Refused
	if !errors.As(err, &refused) {
		refused = &Refused{http.StatusServiceUnavailable, "temporarily_unavailable", "the platform cannot be asked"}
	}
	log.Printf("refused status=%d error=%s description=%q certificate=%s",
		refused.status, or(refused.error), refused.description, or(presented(r)))
	switch {
	case refused.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case refused.error == "": // RFC 6750 section 3.1: no error code for whoever sent no token.
		w.Header().Set("WWW-Authenticate", "Bearer")
	default:
		w.Header().Set("WWW-Authenticate",
			fmt.Sprintf(`Bearer error="%s", error_description="%s"`, refused.error, refused.description))
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refused.status)
	_ = json.NewEncoder(w).Encode(struct {
		Error       string `json:"error,omitempty"`
		Description string `json:"error_description"`
	}{refused.error, refused.description})
}

func or(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// A token that is bound to the certificate of its connection, and lives.
func (p *Platform) byToken(r *http.Request) (Device, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Device{}, &Refused{http.StatusUnauthorized, "", "no access token"}
	}
	var claims tokenClaims
	rules := rules{"the access token", "at+jwt", []string{p.issuer}, p.audience, badToken}
	if err := p.keys.verify(r.Context(), token, rules, &claims); err != nil {
		return Device{}, err
	}
	bound, certificate := claims.Cnf.Thumbprint, presented(r)
	switch {
	case bound == "":
		return Device{}, badToken("the access token is bound to no certificate")
	case certificate == "":
		return Device{}, badToken("no client certificate on the connection: does a proxy before the product end TLS?")
	case certificate != bound:
		return Device{}, badToken("the access token is bound to another certificate than the connection's")
	}
	return claims.Device, p.mustLive(r.Context(), token)
}

// What the gate before the product says, signed, about this very request.
func (p *Platform) byAssertion(r *http.Request) (Device, error) {
	assertion := strings.Join(r.Header.Values("Tegata-Assertion"), ", ")
	if assertion == "" {
		return Device{}, badAssertion(
			"Tegata-Assertion is missing: the request did not pass the gate, or the proxy drops the header")
	}
	var claims assertionClaims
	rules := rules{"Tegata-Assertion", "tegata-assertion+jwt", p.gates, p.audience, badAssertion}
	if err := p.keys.verify(r.Context(), assertion, rules, &claims); err != nil {
		return Device{}, err
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if claims.Method != r.Method || claims.Path != path {
		return Device{}, badAssertion("Tegata-Assertion is for another request")
	}
	return claims.Device, nil
}

// SHA-256 of the certificate that the connection proved to hold, or nothing.
func presented(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// What only the platform knows: whether the device, its certificate or the token was stopped (RFC 7662).
func (p *Platform) mustLive(ctx context.Context, token string) error {
	form := url.Values{"token": {token}, "client_id": {setting("TEGATA_CLIENT_ID")}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.introspection, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var said struct {
		Active bool `json:"active"`
	}
	if err := ask(p.http, request, &said); err != nil {
		return err
	}
	if !said.Active {
		return badToken("the access token, its device or its certificate was stopped")
	}
	return nil
}

func ask(client *http.Client, request *http.Request, answer any) error {
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", request.URL, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

// Discover reads the settings from the environment (rezept.env has them all) and asks the platform for the rest.
func Discover(ctx context.Context) (*Platform, error) {
	p := &Platform{
		issuer:   setting("TEGATA_ISSUER"),
		audience: setting("TEGATA_AUDIENCE"),
		gates:    strings.Fields(os.Getenv("TEGATA_GATES")),
	}
	trust, err := pool(setting("TEGATA_TLS_CA"))
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: trust}
	if len(p.gates) == 0 {
		folder := setting("TEGATA_IDENTITY")
		identity, err := tls.LoadX509KeyPair(folder+"/chain.pem", folder+"/key.pem")
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{identity}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	p.http = &http.Client{Transport: transport, Timeout: 3 * time.Second}
	var metadata struct {
		Issuer   string `json:"issuer"`
		Keys     string `json:"jwks_uri"`
		GateKeys string `json:"tegata_gate_jwks_uri"`
		Aliases  struct {
			Introspection string `json:"introspection_endpoint"`
		} `json:"mtls_endpoint_aliases"`
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.issuer+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		return nil, err
	}
	if err := ask(p.http, request, &metadata); err != nil {
		return nil, err
	}
	if metadata.Issuer != p.issuer {
		return nil, fmt.Errorf("TEGATA_ISSUER is %s, the platform is %s", p.issuer, metadata.Issuer)
	}
	p.introspection = metadata.Aliases.Introspection
	p.keys = &keySet{http: p.http, url: metadata.Keys}
	if len(p.gates) > 0 {
		p.keys.url = metadata.GateKeys
	}
	return p, nil
}

func setting(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatalf("%s is not set", name)
	}
	return value
}

func pool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return pool, nil
}
