// A product in Go that lets enrolled devices in and nobody else: net/http, golang-jwt v5, keyfunc v3.
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

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

const (
	issuer   = "https://ca.example.jp"
	audience = "https://rezept.example.jp"
	self     = "ID-OF-THE-GATE" // `tegata invite --gate rezept`; `tegata enroll … --out /etc/rezept/gate` prints it
	folder   = "/etc/rezept/"
)

// Claims say which device a token was given to, and by which certificate it may be used.
type Claims struct {
	jwt.RegisteredClaims
	Device     string `json:"device"`
	Tenant     string `json:"tenant"`
	Site       string `json:"site"`
	Generation int    `json:"generation"`
	Cnf        struct {
		Thumbprint string `json:"x5t#S256"`
	} `json:"cnf"`
}

type deviceKey struct{}

var errRefused = errors.New("refused")

// Platform is what the product knows of the server that issues tokens.
type Platform struct {
	http          *http.Client
	keys          keyfunc.Keyfunc
	introspection string
}

// OnlyDevices lets a request through whose token is bound to the certificate of its connection, and lives.
func (p *Platform) OnlyDevices(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		claims, err := p.admit(r, strings.TrimSpace(token))
		switch {
		case errors.Is(err, errRefused):
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		case err != nil: // The platform is out of reach: nobody passes.
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), deviceKey{}, claims)))
		}
	})
}

func (p *Platform) admit(r *http.Request, token string) (*Claims, error) {
	claims, err := p.verified(token)
	if err != nil {
		return nil, errRefused
	}
	if bound := claims.Cnf.Thumbprint; bound == "" || bound != presented(r) {
		return nil, errRefused
	}
	return claims, p.mustLive(r.Context(), token)
}

// The signature, and what the token says about itself (RFC 9068).
func (p *Platform) verified(token string) (*Claims, error) {
	claims := new(Claims)
	parsed, err := jwt.ParseWithClaims(token, claims, p.keys.Keyfunc,
		jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(5*time.Second))
	if err != nil {
		return nil, err
	}
	if parsed.Header["typ"] != "at+jwt" {
		return nil, errRefused
	}
	return claims, nil
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
	form := url.Values{"token": {token}, "client_id": {self}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.introspection, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var said struct {
		Active bool `json:"active"`
	}
	if err := p.ask(request, &said); err != nil {
		return err
	}
	if !said.Active {
		return errRefused
	}
	return nil
}

func (p *Platform) ask(request *http.Request, answer any) error {
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", request.URL, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func discover(ctx context.Context) (*Platform, error) {
	identity, err := tls.LoadX509KeyPair(folder+"gate/chain.pem", folder+"gate/key.pem")
	if err != nil {
		return nil, err
	}
	trust, err := pool("tls_ca.pem")
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{identity}, RootCAs: trust}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	p := &Platform{http: &http.Client{Transport: transport, Timeout: 3 * time.Second}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, issuer+"/.well-known/oauth-authorization-server", nil)
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Issuer  string `json:"issuer"`
		JwksURI string `json:"jwks_uri"`
		Aliases struct {
			Introspection string `json:"introspection_endpoint"`
		} `json:"mtls_endpoint_aliases"`
	}
	if err := p.ask(request, &metadata); err != nil {
		return nil, err
	}
	if metadata.Issuer != issuer {
		return nil, fmt.Errorf("this is %s", metadata.Issuer)
	}
	p.introspection = metadata.Aliases.Introspection
	often := keyfunc.Override{Client: p.http, RefreshInterval: 5 * time.Minute, RateLimitWaitMax: time.Second}
	p.keys, err = keyfunc.NewDefaultOverrideCtx(ctx, []string{metadata.JwksURI}, often)
	return p, err
}

func pool(name string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(folder + name)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", name)
	}
	return pool, nil
}

func main() {
	platform, err := discover(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	hints, err := pool("tegata-chain.pem")
	if err != nil {
		log.Fatal(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(r.Context().Value(deviceKey{}))
	})
	server := &http.Server{
		Addr:              ":8443",
		Handler:           platform.OnlyDevices(hello),
		ReadHeaderTimeout: 10 * time.Second,
		// Every certificate is taken, because the token says which one it must be, and no session is resumed.
		TLSConfig: &tls.Config{ClientAuth: tls.RequestClientCert, ClientCAs: hints, SessionTicketsDisabled: true},
	}
	log.Fatal(server.ListenAndServeTLS(folder+"server.pem", folder+"server.key"))
}
