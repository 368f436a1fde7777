using System.Text.Json.Nodes;
using PmrGateway.Tests.Client;
using PmrGateway.Tests.Scenarios;

namespace PmrGateway.Tools.Cases;

/// <summary>A patient whose own wallet controls the record, and a consent that another wallet has signed.</summary>
internal sealed class WrongWallet(CaseContext context)
{
    private readonly HashSet<string> _handedOver = [];

    /// <summary>Posts a consent with a signature that is not the patient's.</summary>
    public async Task PostAsync(JsonNode consent) => await context.PostAsync(consent, async (body, giver) =>
    {
        await HandOverAsync(((string)body["patient"]!["reference"]!).Split('/')[1]);
        var offer = await giver.PostAsync("Consent/$intent", body.ToJsonString());
        if (offer.Status != 200) throw new CaseFailed($"no intent is offered: {offer.Status} {offer.Text}");
        var intent = IntentOffer.Grant(offer);
        var signature = new Wallet().SignTypedData(intent.TypedData);
        return (JsonObject)JsonNode.Parse(intent.Signed(body.ToJsonString(), signature))!;
    });

    private async Task HandOverAsync(string patient)
    {
        if (!_handedOver.Add(patient)) return;
        await new Wallet().TakeOverAsync(context.Stage.Services, patient, async () =>
        {
            await context.Stage.Chain.MineAsync();
            await Task.Delay(100);
        });
    }
}
