"use strict";
// Whoever registers or signs in by trying out a route is signed in on this page.
(() => {
  const who = document.getElementById("who");
  const ui = SwaggerUIBundle({
    url: "/openapi.json",
    domNode: document.getElementById("reference"),
    deepLinking: true,
    displayOperationId: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    tryItOutEnabled: true,
    responseInterceptor: (response) => {
      const grant = response.ok && isGrant(response.body) ? response.body : null;
      if (grant) {
        ui.preauthorizeApiKey("token", grant.access_token);
        who.textContent = `Signed in as ${grant.username}. Your user_id is ${grant.user_id}.`;
      }
      return response;
    },
  });

  function isGrant(body) {
    return body !== null && typeof body === "object" && "access_token" in body && "user_id" in body;
  }
})();
