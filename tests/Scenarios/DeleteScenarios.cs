using PmrGateway.Tests.Client;

namespace PmrGateway.Tests.Scenarios;

[Collection(GatewayCollection.Name)]
public class DeleteScenarios(RunningGateway gateway)
{
    [Fact]
    public async Task A_deleted_record_is_deleted_again_by_its_author_and_is_for_others_what_any_record_is()
    {
        var patient = await gateway.NewPatientAsync();
        await RunningGateway.GrantAsync(gateway.Ehr, patient, gateway.OtherHospital, "TREAT");
        var (kept, deleted) = (await gateway.NewDocumentAsync(patient, [1]), await gateway.NewDocumentAsync(patient, [2]));
        var (hidden, hiddenAndDeleted) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        foreach (var path in new[] { $"DocumentReference/{deleted}", $"Patient/{hiddenAndDeleted}" })
        {
            Assert.Equal(204, (await gateway.Ehr.DeleteAsync(path)).Status);
            Assert.Equal(204, (await gateway.Ehr.DeleteAsync(path)).Status);
            Assert.Equal(200, (await InTransactionAsync(gateway.Ehr, path)).Status);
        }
        await SameAsync(gateway.OtherEhr, 404, "Patient/never-existed", $"Patient/{hidden}", $"Patient/{hiddenAndDeleted}");
        await SameAsync(gateway.OtherEhr, 403, $"DocumentReference/{kept}", $"DocumentReference/{deleted}");
        var self = await gateway.LoginPatientAsync(patient);
        await SameAsync(self, 403, $"DocumentReference/{kept}", $"DocumentReference/{deleted}");
    }

    [Fact]
    public async Task A_deleted_record_comes_back_for_its_patient_and_for_no_other()
    {
        var (patient, other) = (await gateway.NewPatientAsync(), await gateway.NewPatientAsync());
        static string Text(string of, string id) => $$$"""
            {"resourceType":"Observation","status":"final","code":{"text":"x"},{{{id}}}"subject":{"reference":"Patient/{{{of}}}"}}
            """;
        var record = (await gateway.Ehr.PostAsync("Observation", Text(patient, ""))).Id;
        Assert.Equal(204, (await gateway.Ehr.DeleteAsync($"Observation/{record}")).Status);
        var moved = await gateway.Ehr.PutAsync($"Observation/{record}", Text(other, $"\"id\":\"{record}\","));
        Assert.True(moved.Status == 422, moved.Text);
        Assert.Contains("not moved", moved.Text);
        var back = await gateway.Ehr.PutAsync($"Observation/{record}", Text(patient, $"\"id\":\"{record}\","));
        Assert.True(back.Status is 200 or 201, back.Text);
    }

    [Fact]
    public async Task A_deleted_entry_of_the_directory_is_deleted_again_by_the_operator_alone()
    {
        async Task<string> NewAsync() =>
            "Location/" + (await gateway.Operator.PostAsync("Location", """{"resourceType":"Location","name":"x"}""")).Id;
        var (kept, deleted) = (await NewAsync(), await NewAsync());
        Assert.Equal(204, (await gateway.Operator.DeleteAsync(deleted)).Status);
        Assert.Equal(204, (await gateway.Operator.DeleteAsync(deleted)).Status);
        await SameAsync(gateway.Ehr, 403, kept, deleted);
    }

    // Alone and in a transaction, each is answered in the same words.
    private static async Task SameAsync(GatewayClient client, int status, params string[] paths)
    {
        foreach (var delete in new Func<string, Task<Answer>>[] { client.DeleteAsync, path => InTransactionAsync(client, path) })
        {
            var answers = new List<Answer>();
            foreach (var path in paths) answers.Add(await delete(path));
            Assert.All(answers, a => Assert.Equal((status, answers[0].Text), (a.Status, a.Text)));
        }
    }

    private static Task<Answer> InTransactionAsync(GatewayClient client, string path) => client.PostAsync("", $$$"""
        {"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE","url":"{{{path}}}"}}]}
        """);
}
