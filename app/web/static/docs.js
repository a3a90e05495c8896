// Starts Swagger UI on /docs. A file of its own, so that the page's policy can forbid inline code.
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    // By default the page asks a validator on the internet.
    validatorUrl: null,
  });
});
