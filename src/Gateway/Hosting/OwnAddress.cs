using PmrGateway.Gateway.Options;

namespace PmrGateway.Gateway.Hosting;

/// <summary>
/// Host and scheme of a request are those of PublicUrl, whatever its headers say: what makes a link of them (OAuth's discovery document
/// does) makes none that leads elsewhere.
/// </summary>
internal static class OwnAddress
{
    public static void UseOwnAddress(this IApplicationBuilder app, BaseUrl baseUrl)
    {
        var url = new Uri(baseUrl.Public);
        var host = new HostString(url.Authority);
        app.Use((context, next) =>
        {
            (context.Request.Scheme, context.Request.Host) = (url.Scheme, host);
            return next(context);
        });
    }
}
